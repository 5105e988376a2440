//! What every candidate is told once on a throwaway instance: calls at the edges of the contract.
//!
//! Nothing here can not happen: an empty book, the largest book, markets with many outcomes and long names,
//! an opportunity with every leg it may have, ids nobody listed, fills of orders nobody sent. A strategy that
//! fails at one of them would fail live some day.

use pm_arb_core::event::{OracleTick, Print};
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, OracleId, Seq, Timestamp, Venue,
};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::reason::Reason;
use pm_arb_core::strategy::{
    Filled, MAX_LEGS, Output, Quote, Refused, Settled, Strategy, StrategyEvent, StrategyFault,
};
use pm_arb_core::units::{Price, Qty, SpotPrice, Usd};

/// A billion shares, and a billion dollars.
const MUCH: i64 = 1_000_000_000_000_000;
/// Markets that are listed: in all below 32 KiB, for guests whose memory is small and never freed.
const MARKETS: u32 = 4;
/// Outcomes of each.
const OUTCOMES: u32 = 16;
/// Letters of a question and of an outcome's name.
const LONG: usize = 256;
/// An id that nobody listed.
const NOBODY: u32 = u32::MAX;
const NOW: Timestamp = Timestamp::from_secs(1);

/// Tells all of it; the error names the call.
pub(super) fn play(strategy: &mut dyn Strategy) -> Result<(), (&'static str, StrategyFault)> {
    let mut out = Output::default();
    for quote in quotes() {
        out.clear();
        strategy
            .on_quote(NOW, &quote, &mut out)
            .map_err(|fault| ("on-quote", fault))?;
    }
    let mut tell = |strategy: &mut dyn Strategy, event: StrategyEvent<'_>| {
        out.clear();
        let told = strategy.on_event(NOW, &event, &mut out);
        told.map_err(|fault| ("on-event", fault))
    };
    for id in 0..MARKETS {
        tell(strategy, StrategyEvent::MarketListed(&market(id)))?;
    }
    for kind in [
        OpportunityKind::OracleLag,
        OpportunityKind::Mispricing,
        OpportunityKind::CrossPlatform,
    ] {
        let seen = opportunity(kind);
        for free_capital in [Usd::ZERO, Usd(MUCH)] {
            let event = StrategyEvent::Opportunity {
                seen: &seen,
                free_capital,
            };
            tell(strategy, event)?;
        }
    }
    let tick = OracleTick {
        oracle: OracleId(NOBODY),
        price: SpotPrice(i128::from(MUCH)),
        source_time: NOW,
    };
    tell(strategy, StrategyEvent::OracleTick(&tick))?;
    let print = Print {
        instrument: InstrumentId(NOBODY),
        price: Price::DOLLAR,
        qty: Qty(MUCH),
        taker_bought: true,
        venue_time: NOW,
    };
    tell(strategy, StrategyEvent::Print(&print))?;
    fates(&mut |event| tell(strategy, event))?;
    for market in [0, NOBODY] {
        tell(strategy, StrategyEvent::MarketClosed(MarketId(market)))?;
        tell(strategy, StrategyEvent::Gap(InstrumentId(market)))?;
    }
    tell(strategy, StrategyEvent::Timer)
}

/// Of orders and positions that nobody has.
fn fates<E>(tell: &mut dyn FnMut(StrategyEvent<'_>) -> Result<(), E>) -> Result<(), E> {
    let (intent, tag) = (IntentId { seq: Seq(1), n: 0 }, u64::MAX);
    let instrument = InstrumentId(NOBODY);
    tell(StrategyEvent::Filled(&Filled {
        intent,
        tag,
        instrument,
        bought: true,
        qty: Qty(MUCH),
        price: Price::DOLLAR,
        fee: Usd::ZERO,
        maker: false,
    }))?;
    tell(StrategyEvent::Refused(&Refused {
        intent,
        tag,
        instrument,
        reason: Reason::RateLimit,
    }))?;
    tell(StrategyEvent::Settled(&Settled {
        market: MarketId(NOBODY),
        instrument,
        payout: Price::DOLLAR,
        pnl: Usd(-MUCH),
    }))
}

/// Of one instrument only: empty, one-sided, and as large as a book can be.
fn quotes() -> [Quote; 4] {
    let side = |price: i64| Some((Price(price), Qty(MUCH)));
    let of = |bid, ask| Quote {
        instrument: InstrumentId(0),
        bid,
        ask,
    };
    [
        of(None, None),
        of(side(1), None),
        of(None, side(999_999)),
        of(side(1), side(999_999)),
    ]
}

fn market(id: u32) -> MarketSpec {
    let outcome = |n: u32| Outcome {
        instrument: InstrumentId(id * OUTCOMES + n),
        name: "n".repeat(LONG),
        native_id: format!("{id}-{n}"),
    };
    MarketSpec {
        id: MarketId(id),
        venue: Venue::Polymarket,
        native_id: id.to_string(),
        slug: "s".repeat(LONG),
        question: "é".repeat(LONG),
        outcomes: (0..OUTCOMES).map(outcome).collect(),
        tick: None,
        lot: Qty(10_000),
        min_qty: None,
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: None,
        opens_at: Timestamp(0),
        closes_at: Timestamp::from_secs(300),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

fn opportunity(kind: OpportunityKind) -> Opportunity {
    let leg = |n: usize| OpportunityLeg {
        instrument: InstrumentId(u32::try_from(n).unwrap_or(NOBODY)),
        market: MarketId(NOBODY),
        venue: if n.is_multiple_of(2) {
            Venue::Polymarket
        } else {
            Venue::Kalshi
        },
        price: Price(1),
        qty: Qty(MUCH),
        fair: (kind == OpportunityKind::OracleLag).then_some(Price(999_999)),
        fee: Usd::ZERO,
        book_age: Nanos(0),
    };
    Opportunity {
        id: OpportunityId { seq: Seq(1), n: 0 },
        kind,
        relation: None,
        at: NOW,
        legs: (0..MAX_LEGS).map(leg).collect(),
        edge: Usd(999_999),
        qty: Qty(MUCH),
        closes_at: Timestamp::from_secs(300),
        oracle_age: Nanos(0),
    }
}
