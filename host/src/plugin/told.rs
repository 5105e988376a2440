//! What a strategy is told, kept: one call with everything that belongs to it.
//!
//! Canned and recorded events and the last calls of an instance have this one form; whoever has a list of
//! them can tell it again, to any strategy, as often as wanted.

use pm_arb_core::event::{OracleTick, Print};
use pm_arb_core::ids::{InstrumentId, MarketId, Timestamp};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::opportunity::Opportunity;
use pm_arb_core::strategy::{
    Filled, Output, Quote, Refused, Settled, Strategy, StrategyEvent, StrategyFault, Topics,
};
use pm_arb_core::units::Usd;

/// One thing that is told.
#[derive(Debug, Clone)]
pub enum Told {
    /// The top of a book changed.
    Quote(Quote),
    /// See [`StrategyEvent::MarketListed`].
    MarketListed(Box<MarketSpec>),
    /// See [`StrategyEvent::MarketClosed`].
    MarketClosed(MarketId),
    /// See [`StrategyEvent::OracleTick`].
    OracleTick(OracleTick),
    /// See [`StrategyEvent::Print`].
    Print(Print),
    /// See [`StrategyEvent::Opportunity`].
    Opportunity(Box<Opportunity>, Usd),
    /// See [`StrategyEvent::Filled`].
    Filled(Filled),
    /// See [`StrategyEvent::Refused`].
    Refused(Refused),
    /// See [`StrategyEvent::Settled`].
    Settled(Settled),
    /// See [`StrategyEvent::Gap`].
    Gap(InstrumentId),
    /// See [`StrategyEvent::Timer`].
    Timer,
}

/// The kinds, in the order of tables.
pub const KINDS: [&str; 11] = [
    "quote",
    "market-listed",
    "market-closed",
    "oracle-tick",
    "print",
    "opportunity",
    "filled",
    "refused",
    "settled",
    "gap",
    "timer",
];

impl Told {
    /// Keeps an event.
    #[must_use]
    pub fn of(event: &StrategyEvent<'_>) -> Self {
        match event {
            StrategyEvent::MarketListed(spec) => Self::MarketListed(Box::new((*spec).clone())),
            StrategyEvent::MarketClosed(id) => Self::MarketClosed(*id),
            StrategyEvent::OracleTick(tick) => Self::OracleTick(**tick),
            StrategyEvent::Print(print) => Self::Print(**print),
            StrategyEvent::Opportunity { seen, free_capital } => {
                Self::Opportunity(Box::new((*seen).clone()), *free_capital)
            }
            StrategyEvent::Filled(filled) => Self::Filled(**filled),
            StrategyEvent::Refused(refused) => Self::Refused(**refused),
            StrategyEvent::Settled(settled) => Self::Settled(**settled),
            StrategyEvent::Gap(instrument) => Self::Gap(*instrument),
            StrategyEvent::Timer => Self::Timer,
        }
    }

    /// As it is told; none of a quote, which has a call of its own.
    fn event(&self) -> Option<StrategyEvent<'_>> {
        Some(match self {
            Self::Quote(_) => return None,
            Self::MarketListed(spec) => StrategyEvent::MarketListed(spec),
            Self::MarketClosed(id) => StrategyEvent::MarketClosed(*id),
            Self::OracleTick(tick) => StrategyEvent::OracleTick(tick),
            Self::Print(print) => StrategyEvent::Print(print),
            Self::Opportunity(seen, free_capital) => StrategyEvent::Opportunity {
                seen,
                free_capital: *free_capital,
            },
            Self::Filled(filled) => StrategyEvent::Filled(filled),
            Self::Refused(refused) => StrategyEvent::Refused(refused),
            Self::Settled(settled) => StrategyEvent::Settled(settled),
            Self::Gap(instrument) => StrategyEvent::Gap(*instrument),
            Self::Timer => StrategyEvent::Timer,
        })
    }

    /// Tells it.
    pub fn tell(
        &self,
        strategy: &mut dyn Strategy,
        now: Timestamp,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        match (self, self.event()) {
            (Self::Quote(quote), _) => strategy.on_quote(now, quote, out),
            (_, Some(event)) => strategy.on_event(now, &event, out),
            (_, None) => Ok(()),
        }
    }

    /// Its place in [`KINDS`].
    #[must_use]
    pub fn kind(&self) -> usize {
        match self {
            Self::Quote(_) => 0,
            Self::MarketListed(_) => 1,
            Self::MarketClosed(_) => 2,
            Self::OracleTick(_) => 3,
            Self::Print(_) => 4,
            Self::Opportunity(..) => 5,
            Self::Filled(_) => 6,
            Self::Refused(_) => 7,
            Self::Settled(_) => 8,
            Self::Gap(_) => 9,
            Self::Timer => 10,
        }
    }

    /// The name of its kind, as the contract calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        KINDS.get(self.kind()).copied().unwrap_or_default()
    }

    /// Whether a strategy with these topics hears it.
    #[must_use]
    pub fn is_heard(&self, topics: Topics) -> bool {
        self.event()
            .map_or(topics.quotes, |event| event.is_wanted(topics))
    }

    /// In a few words, to find it again.
    #[must_use]
    pub fn text(&self) -> String {
        let side = |side: Option<(pm_arb_core::units::Price, pm_arb_core::units::Qty)>| match side {
            Some((price, qty)) => format!("{qty} at {price}"),
            None => "none".to_owned(),
        };
        let what = match self {
            Self::Quote(q) => format!(
                "of instrument {}: bid {}, ask {}",
                q.instrument.0,
                side(q.bid),
                side(q.ask)
            ),
            Self::MarketListed(spec) => {
                let slug: String = spec.slug.chars().take(60).collect();
                format!("{} {:?} of {}", spec.id.0, slug, spec.venue)
            }
            Self::MarketClosed(id) => id.0.to_string(),
            Self::OracleTick(tick) => format!("of oracle {}: {}", tick.oracle.0, tick.price),
            Self::Print(p) => format!("of instrument {}: {} at {}", p.instrument.0, p.qty, p.price),
            Self::Opportunity(seen, _) => format!(
                "{} {}.{} with {} legs, edge {}",
                seen.kind,
                seen.id.seq.0,
                seen.id.n,
                seen.legs.len(),
                seen.edge
            ),
            Self::Filled(f) => format!(
                "tag {}: {} of instrument {} at {}",
                f.tag, f.qty, f.instrument.0, f.price
            ),
            Self::Refused(r) => {
                format!(
                    "tag {}: instrument {}, {}",
                    r.tag,
                    r.instrument.0,
                    r.reason.code()
                )
            }
            Self::Settled(s) => format!(
                "market {}, instrument {}: pays {}",
                s.market.0, s.instrument.0, s.payout
            ),
            Self::Gap(instrument) => format!("in the book of instrument {}", instrument.0),
            Self::Timer => String::new(),
        };
        format!("{} {what}", self.name()).trim_end().to_owned()
    }
}
