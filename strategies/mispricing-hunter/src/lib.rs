//! mispricing-hunter: buys outcomes that surely pay together for less than they pay.
//!
//! It acts on the host's mispricing opportunities: both outcomes of one market, one outcome of every
//! market of an exclusive set, or YES of a market with NO of one that implies it. Equal shares of every
//! leg, all or nothing: a set with a leg missing is a bet, not an arbitrage.
//!
//! | setting       | default | meaning                                                       |
//! |---------------|---------|---------------------------------------------------------------|
//! | `edge_min`    | 0.005   | least gain a set after fees, in dollars                       |
//! | `stake_max`   | 0.2     | largest share of the free capital in one set of orders        |
//! | `cost_max`    | 400     | dollars that one set of orders may cost, 1000 at most         |
//! | `book_ms_max` | 1000    | no leg whose book is older than this many milliseconds        |

use pm_arb_sdk::keep::{Grids, Taken, cost_and_payoff};
use pm_arb_sdk::money::{ONE, over_down, times_down};
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Opportunity, OpportunityKind, Settings, Strategy, TimeInForce,
    Timestamp, Topics, Wants,
};

/// The most that a set of orders may be set to cost: what it asks the host for.
const ORDER_MAX: i64 = 1_000 * ONE;

/// The settings of the table above, in millionths.
struct Rules {
    edge_min: i64,
    stake_max: i64,
    cost_max: i64,
    book_ms_max: i64,
}

/// The strategy.
pub struct MispricingHunter {
    rules: Rules,
    grids: Grids,
    taken: Taken,
}

impl MispricingHunter {
    fn decide(&self, seen: &Opportunity) -> Option<Intent> {
        let fresh = |ms: u32| i64::from(ms) * ONE <= self.rules.book_ms_max;
        if seen.kind != OpportunityKind::Mispricing
            || seen.legs.len() < 2
            || self.taken.contains(seen.id)
            || !seen.legs.iter().all(|leg| fresh(leg.book_age_ms))
        {
            return None;
        }
        let (cost, pays) = cost_and_payoff(seen)?;
        let edge = pays.checked_sub(cost)?;
        if edge < self.rules.edge_min {
            return None;
        }
        let stake = times_down(seen.free_capital.max(0), self.rules.stake_max)?;
        let offered = seen.legs.iter().map(|leg| leg.qty).min()?.min(seen.qty);
        let wanted = over_down(stake.min(self.rules.cost_max), cost)?.min(offered);
        Some(Intent {
            opportunity: Some(seen.id),
            tag: 0,
            legs: buy_all(seen),
            qty: self.grids.fit(seen, wanted)?,
            time_in_force: TimeInForce::Fok,
            expected_edge: edge,
        })
    }
}

fn buy_all(seen: &Opportunity) -> Vec<IntentLeg> {
    let buy = |leg: &pm_arb_sdk::OpportunityLeg| IntentLeg {
        instrument: leg.instrument,
        buy: true,
        limit: leg.price,
    };
    seen.legs.iter().map(buy).collect()
}

impl Strategy for MispricingHunter {
    const NAME: &'static str = "mispricing-hunter";
    const TOPICS: Topics = Topics::MARKETS.union(Topics::MISPRICING);
    // Every family and venue: that outcomes pay together does not depend on who decides.
    const WANTS: Wants = Wants {
        order_max: Some(ORDER_MAX),
        intents_per_second: Some(20),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            rules: Rules {
                edge_min: settings.decimal("edge_min", 5_000, 0..=ONE)?,
                stake_max: settings.decimal("stake_max", 200_000, 0..=ONE)?,
                cost_max: settings.decimal("cost_max", 400 * ONE, 0..=ORDER_MAX)?,
                book_ms_max: settings.decimal("book_ms_max", 1_000 * ONE, 0..=60_000 * ONE)?,
            },
            grids: Grids::default(),
            taken: Taken::default(),
        })
    }

    fn on_event(&mut self, _now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.grids.hear(event);
        if let Event::Opportunity(seen) = event
            && let Some(intent) = self.decide(seen)
            && host.submit(&intent)
        {
            self.taken.insert(seen.id);
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.taken.write(&mut out);
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["taken", seq, n] => self.taken.read(seq, n)?,
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::MispricingHunter);

#[cfg(test)]
mod tests;
