//! Answers what keeps a market from being traded now. Reads and changes nothing: the looks are the
//! scanner's own ([`crate::scanner::Scanner::look`]), the ages those of its books and oracles.

use super::Engine;
use crate::ids::{InstrumentId, MarketId, Nanos, OpportunityId, Timestamp, Venue};
use crate::market::MarketStatus;
use crate::market_data::MarketState;
use crate::opportunity::Opportunity;
use crate::oracle::Reading;
use crate::reason::Reason;
use crate::scanner::{Look, Mark, ScanLimits};
use crate::strategy::MAX_LEGS;
use crate::units::{ONE, Price, Qty, Usd};

/// Most outcomes of a market whose books are told.
pub const BOOKS_MAX: usize = 16;

/// A market at one moment, and what keeps it from being traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketNow {
    /// The time of the last record.
    pub now: Timestamp,
    /// Which.
    pub market: MarketId,
    /// Where.
    pub venue: Venue,
    /// The venue's name of it.
    pub native_id: String,
    /// Readable name.
    pub slug: String,
    /// Where it is in its life.
    pub status: MarketStatus,
    /// When it closes.
    pub closes_at: Timestamp,
    /// Why nothing trades at all, when nothing does.
    pub halted: Option<String>,
    /// What neither the market nor a rule says, and an order needs.
    pub unknown: Vec<&'static str>,
    /// Whether the fee of a taker is known.
    pub fee_known: bool,
    /// Its books, at most [`BOOKS_MAX`].
    pub books: Vec<BookNow>,
    /// The oracle that decides it, when one does.
    pub oracle: Option<OracleNow>,
    /// What a look shows now.
    pub looks: Vec<Look>,
    /// What the looks of the run came to; `None` before the first.
    pub mark: Option<Mark>,
    /// Whether somebody holds anything in it.
    pub held: bool,
    /// What backs an opportunity.
    pub limits: ScanLimits,
    /// Least edge a share.
    pub edge_min: Usd,
    /// No order in the last moments before the close.
    pub expiry_min: Nanos,
}

/// One book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookNow {
    /// Of what.
    pub instrument: InstrumentId,
    /// Its name.
    pub outcome: String,
    /// Why nothing may be bought on it, when nothing may.
    pub refused: Option<Reason>,
    /// Since its last message; `None` before the first.
    pub age: Option<Nanos>,
    /// Best bid.
    pub bid: Option<(Price, Qty)>,
    /// Best ask.
    pub ask: Option<(Price, Qty)>,
}

/// An oracle, or the one that stands in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleNow {
    /// `source symbol`.
    pub name: String,
    /// Whether its value may back a decision.
    pub fresh: bool,
    /// Since the instant its value is valid for; `None` without a value.
    pub age: Option<Nanos>,
    /// Whether the price to beat is known.
    pub strike_known: bool,
}

/// An opportunity that can still be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpportunityNow {
    /// As it was last seen.
    pub seen: Opportunity,
    /// Readable names of its markets.
    pub slugs: Vec<String>,
    /// Whether a strategy has wished for it.
    pub wished: bool,
    /// Whether its edge is there now.
    pub shown: bool,
    /// The time of the last record.
    pub now: Timestamp,
    /// Least edge a share.
    pub edge_min: Usd,
}

impl Engine {
    /// What keeps a market from being traded now; `None` when it is not known (any more).
    #[must_use]
    pub fn why(&self, market: MarketId) -> Option<MarketNow> {
        let state = self.data.market(market)?;
        let (spec, limits) = (&state.spec, ScanLimits::from(&self.config.risk));
        let lacks = [
            ("tick", spec.tick.is_none()),
            ("minimum", spec.min_qty.is_none()),
            ("taker delay", spec.taker_delay.is_none()),
        ];
        let unknown = lacks.into_iter().filter(|(_, lacks)| *lacks);
        let books = spec.outcomes.iter().take(BOOKS_MAX);
        Some(MarketNow {
            now: self.now,
            market,
            venue: spec.venue,
            native_id: spec.native_id.clone(),
            slug: spec.slug.clone(),
            status: state.status,
            closes_at: spec.closes_at,
            halted: self.halted.clone(),
            unknown: unknown.map(|(what, _)| what).collect(),
            fee_known: spec.fee.per_share(Price(ONE / 2)).is_some(),
            books: books
                .map(|o| self.book_now(o.instrument, &o.name, limits))
                .collect(),
            oracle: self.oracle_now(state),
            looks: self.scanner.look(&self.data, market, self.now, limits),
            mark: self.scanner.mark(market).copied(),
            held: self.positions.any_in(market),
            limits,
            edge_min: self.config.scanner.edge_min,
            expiry_min: self.config.risk.expiry_min,
        })
    }

    /// An opportunity that can still be named.
    #[must_use]
    pub fn opportunity(&self, id: OpportunityId) -> Option<OpportunityNow> {
        let seen = self.opportunities.get(&id)?;
        let legs = seen.legs.iter().take(MAX_LEGS);
        let states = legs.filter_map(|leg| self.data.market(leg.market));
        Some(OpportunityNow {
            seen: seen.clone(),
            slugs: states.map(|m| m.spec.slug.clone()).collect(),
            wished: !self.flow.waits(id),
            shown: self.scanner.shown().any(|shown| shown == id),
            now: self.now,
            edge_min: self.config.scanner.edge_min,
        })
    }

    fn book_now(&self, instrument: InstrumentId, outcome: &str, limits: ScanLimits) -> BookNow {
        let book = self.data.book(instrument);
        let usable = book.ok_or(Reason::NoBook);
        let usable = usable.and_then(|b| b.usable(true, self.now, limits.book_age_max));
        let heard = book.filter(|b| b.updated_at() > Timestamp(0));
        BookNow {
            instrument,
            outcome: outcome.to_owned(),
            refused: usable.err(),
            age: heard.map(|b| b.age(self.now)),
            bid: book.and_then(|b| b.best_bid()),
            ask: book.and_then(|b| b.best_ask()),
        }
    }

    fn oracle_now(&self, state: &MarketState) -> Option<OracleNow> {
        let id = state.spec.settlement.oracle()?;
        let name = self.data.oracle(id).map(|o| o.spec());
        let name = name.map(|spec| format!("{} {}", spec.source, spec.symbol));
        let (fresh, age) = match self.reading(&state.spec, self.now) {
            Some(Reading::Fresh { age, .. }) => (true, Some(age)),
            Some(Reading::Stale { age }) => (false, Some(age)),
            Some(Reading::Missing) | None => (false, None),
        };
        Some(OracleNow {
            name: name.unwrap_or_else(|| format!("oracle {id}, not listed")),
            fresh,
            age,
            strike_known: self.scanner.strike_known(state),
        })
    }
}
