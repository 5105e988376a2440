//! A host for native unit tests, and short ways to write events. Never part of a component.

use crate::{
    EventId, FeeSchedule, Fill, Host, Intent, Level, Market, Opportunity, OpportunityKind,
    OpportunityLeg, Timestamp,
};

/// Keeps what a strategy said.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Lines of log.
    pub lines: Vec<String>,
    /// Wishes, in order.
    pub intents: Vec<Intent>,
    /// Tags it cancelled, in order.
    pub cancels: Vec<u64>,
    /// When it asked to be woken.
    pub wakes: Vec<Timestamp>,
}

impl Host for Recorder {
    fn log(&mut self, _level: Level, text: &str) {
        self.lines.push(text.to_owned());
    }

    fn submit(&mut self, intent: &Intent) -> bool {
        self.intents.push(intent.clone());
        true
    }

    fn cancel(&mut self, tag: u64) -> bool {
        self.cancels.push(tag);
        true
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wakes.push(at);
    }
}

/// An opportunity with legs `(price, fair)` on instruments and markets 0, 1, … without fees: 100
/// shares everywhere, 1,000 dollars of capital, closing at one minute.
#[must_use]
pub fn opportunity(seq: u64, kind: OpportunityKind, legs: &[(i64, Option<i64>)]) -> Opportunity {
    let cost: i64 = legs.iter().map(|(price, _)| price).sum();
    let pays = legs
        .iter()
        .find_map(|(_, fair)| *fair)
        .unwrap_or(crate::money::ONE);
    Opportunity {
        id: EventId { seq, n: 0 },
        kind,
        legs: (0..)
            .zip(legs)
            .map(|(i, (price, fair))| OpportunityLeg {
                instrument: i,
                market: i,
                price: *price,
                qty: 100_000_000,
                fair: *fair,
                fee: 0,
                book_age_ms: 5,
            })
            .collect(),
        edge: pays - cost,
        qty: 100_000_000,
        closes_at: 60_000_000_000,
        oracle_age_ms: 5,
        free_capital: 1_000_000_000,
    }
}

/// A market with that grid.
#[must_use]
pub fn listed(id: u32, lot: i64, min_qty: i64) -> Market {
    Market {
        id,
        venue: "polymarket".to_owned(),
        slug: format!("market-{id}"),
        question: String::new(),
        outcomes: Vec::new(),
        tick: 10_000,
        lot,
        min_qty,
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        opens_at: 0,
        closes_at: 60_000_000_000,
        oracle: None,
    }
}

/// A fill of ours.
#[must_use]
pub fn fill(instrument: u32, bought: bool, qty: i64, price: i64, fee: i64) -> Fill {
    Fill {
        intent: EventId { seq: 1, n: 0 },
        tag: 0,
        instrument,
        bought,
        qty,
        price,
        fee,
        maker: false,
    }
}
