//! The money of events and intents with its unit: `leg.price()` is a [`Price`], `leg.price` the integer
//! that the contract carries. Owns no rule but one: a side of a quote without shares has no price.

use crate::units::{Price, Qty, Usd};
use crate::{Fill, IntentLeg, Market, Opportunity, OpportunityLeg, Print, Quote, Settlement};

impl Quote {
    /// The best bid and the shares wanted there; `None` when nobody bids.
    #[must_use]
    pub fn bid(&self) -> Option<(Price, Qty)> {
        (self.bid_qty > 0).then_some((Price(self.bid_price), Qty(self.bid_qty)))
    }

    /// The best ask and the shares offered there; `None` when nobody offers.
    #[must_use]
    pub fn ask(&self) -> Option<(Price, Qty)> {
        (self.ask_qty > 0).then_some((Price(self.ask_price), Qty(self.ask_qty)))
    }
}

impl Market {
    /// The grid of its prices.
    #[must_use]
    pub fn tick(&self) -> Price {
        Price(self.tick)
    }

    /// The grid of its sizes.
    #[must_use]
    pub fn lot(&self) -> Qty {
        Qty(self.lot)
    }

    /// Its smallest order.
    #[must_use]
    pub fn min_qty(&self) -> Qty {
        Qty(self.min_qty)
    }
}

impl OpportunityLeg {
    /// The ask it was seen at.
    #[must_use]
    pub fn price(&self) -> Price {
        Price(self.price)
    }

    /// The shares offered there.
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.qty)
    }

    /// What it is worth by the host's model, where one is involved.
    #[must_use]
    pub fn fair(&self) -> Option<Price> {
        self.fair.map(Price)
    }

    /// The fee of a share.
    #[must_use]
    pub fn fee(&self) -> Price {
        Price(self.fee)
    }

    /// What a share costs with its fee.
    #[must_use]
    pub fn cost(&self) -> Option<Price> {
        self.price().checked_add(self.fee())
    }
}

impl Opportunity {
    /// Gain a share of all legs together, after fees.
    #[must_use]
    pub fn edge(&self) -> Usd {
        Usd(self.edge)
    }

    /// Shares available on every leg.
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.qty)
    }

    /// What the strategy may still commit.
    #[must_use]
    pub fn free_capital(&self) -> Usd {
        Usd(self.free_capital)
    }
}

impl IntentLeg {
    /// Buys at no more than that.
    #[must_use]
    pub fn buy(instrument: u32, limit: Price) -> Self {
        Self {
            instrument,
            buy: true,
            limit: limit.0,
        }
    }

    /// Sells at no less than that.
    #[must_use]
    pub fn sell(instrument: u32, limit: Price) -> Self {
        Self {
            buy: false,
            ..Self::buy(instrument, limit)
        }
    }
}

impl Fill {
    /// What a share was traded at.
    #[must_use]
    pub fn price(&self) -> Price {
        Price(self.price)
    }

    /// How many.
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.qty)
    }

    /// The fee of all of them.
    #[must_use]
    pub fn fee(&self) -> Usd {
        Usd(self.fee)
    }
}

impl Print {
    /// What a share was traded at.
    #[must_use]
    pub fn price(&self) -> Price {
        Price(self.price)
    }

    /// How many.
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.qty)
    }
}

impl Settlement {
    /// What a share paid.
    #[must_use]
    pub fn payout(&self) -> Price {
        Price(self.payout)
    }

    /// What the position came to.
    #[must_use]
    pub fn pnl(&self) -> Usd {
        Usd(self.pnl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_side_has_no_price() {
        let quote = Quote {
            instrument: 1,
            bid_price: 480_000,
            bid_qty: 5,
            ask_price: 490_000,
            ask_qty: 0,
        };
        assert_eq!(quote.bid(), Some((Price(480_000), Qty(5))));
        assert_eq!(quote.ask(), None);
    }

    #[test]
    fn a_leg_sells_at_its_limit() {
        let leg = IntentLeg::sell(7, Price(480_000));
        assert_eq!((leg.instrument, leg.buy, leg.limit), (7, false, 480_000));
    }
}
