//! The types of `wit/strategy.wit` as they cross the boundary, and their translation from and to the
//! core's. Nothing here decides anything. `wasmtime` checks them against every component's own types.

use pm_arb_core::event::{OracleTick, Print};
use pm_arb_core::ids::{IntentId, OpportunityId, Timestamp};
use pm_arb_core::market::{FeeSchedule, MarketSpec};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::strategy::{Filled, Quote, Refused, Settled, StrategyEvent, TimeInForce, Topics};
use pm_arb_core::units::{Rounding, Usd, div_round};
use wasmtime::component::{ComponentType, Lift, Lower, WasmList, flags};

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct EventId {
    pub(super) seq: u64,
    pub(super) n: u16,
}

flags! {
    TopicSet {
        #[component(name = "quotes")]
        const QUOTES;
        #[component(name = "markets")]
        const MARKETS;
        #[component(name = "prints")]
        const PRINTS;
        #[component(name = "oracle-ticks")]
        const ORACLE_TICKS;
        #[component(name = "oracle-lag")]
        const ORACLE_LAG;
        #[component(name = "mispricing")]
        const MISPRICING;
        #[component(name = "cross-platform")]
        const CROSS_PLATFORM;
    }
}

/// The manifest of version 0.2.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct ManifestV02 {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) topics: TopicSet,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Wants {
    pub(super) venues: Vec<String>,
    pub(super) families: Vec<String>,
    pub(super) oracles: Vec<String>,
    #[component(name = "order-max")]
    pub(super) order_max: Option<i64>,
    #[component(name = "intents-per-second")]
    pub(super) intents_per_second: Option<u32>,
    #[component(name = "memory-kib")]
    pub(super) memory_kib: Option<u32>,
    #[component(name = "call-fuel")]
    pub(super) call_fuel: Option<u64>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) topics: TopicSet,
    pub(super) wants: Wants,
    pub(super) state: u32,
    pub(super) reads: Vec<u32>,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct WireQuote {
    instrument: u32,
    #[component(name = "bid-price")]
    bid_price: i64,
    #[component(name = "bid-qty")]
    bid_qty: i64,
    #[component(name = "ask-price")]
    ask_price: i64,
    #[component(name = "ask-qty")]
    ask_qty: i64,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct WireTimedQuote {
    pub(super) now: u64,
    pub(super) quote: WireQuote,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum WireFee {
    #[component(name = "free")]
    Free,
    #[component(name = "quadratic")]
    Quadratic(u32),
    #[component(name = "other")]
    Other,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireOutcome {
    instrument: u32,
    name: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireMarket {
    id: u32,
    venue: String,
    slug: String,
    question: String,
    outcomes: Vec<WireOutcome>,
    tick: i64,
    lot: i64,
    #[component(name = "min-qty")]
    min_qty: i64,
    fee: WireFee,
    #[component(name = "maker-fee")]
    maker_fee: WireFee,
    #[component(name = "opens-at")]
    opens_at: u64,
    #[component(name = "closes-at")]
    closes_at: u64,
    oracle: Option<u32>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WirePrint {
    instrument: u32,
    price: i64,
    qty: i64,
    #[component(name = "taker-bought")]
    taker_bought: bool,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireOracleTick {
    oracle: u32,
    #[component(name = "price-e8")]
    price_e8: i64,
    #[component(name = "source-time")]
    source_time: u64,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WireKind {
    #[component(name = "oracle-lag")]
    OracleLag,
    #[component(name = "mispricing")]
    Mispricing,
    #[component(name = "cross-platform")]
    CrossPlatform,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireOpportunityLeg {
    instrument: u32,
    market: u32,
    price: i64,
    qty: i64,
    fair: Option<i64>,
    fee: i64,
    #[component(name = "book-age-ms")]
    book_age_ms: u32,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireOpportunity {
    id: EventId,
    kind: WireKind,
    legs: Vec<WireOpportunityLeg>,
    edge: i64,
    qty: i64,
    #[component(name = "closes-at")]
    closes_at: u64,
    #[component(name = "oracle-age-ms")]
    oracle_age_ms: u32,
    #[component(name = "free-capital")]
    free_capital: i64,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireFill {
    intent: EventId,
    tag: u64,
    instrument: u32,
    bought: bool,
    qty: i64,
    price: i64,
    fee: i64,
    maker: bool,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireRefusal {
    intent: EventId,
    tag: u64,
    instrument: u32,
    reason: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireSettlement {
    market: u32,
    instrument: u32,
    payout: i64,
    pnl: i64,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum WireEvent {
    #[component(name = "market-listed")]
    MarketListed(WireMarket),
    #[component(name = "market-closed")]
    MarketClosed(u32),
    #[component(name = "oracle-tick")]
    OracleTick(WireOracleTick),
    #[component(name = "print")]
    Print(WirePrint),
    #[component(name = "opportunity")]
    Opportunity(WireOpportunity),
    #[component(name = "filled")]
    Filled(WireFill),
    #[component(name = "refused")]
    Refused(WireRefusal),
    #[component(name = "settled")]
    Settled(WireSettlement),
    #[component(name = "gap")]
    Gap(u32),
    #[component(name = "timer")]
    Timer,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only ever made by lifting a guest's value")]
pub(super) enum WireLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireIntentLeg {
    pub(super) instrument: u32,
    pub(super) buy: bool,
    pub(super) limit: i64,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(variant)]
pub(super) enum WireTimeInForce {
    #[component(name = "fak")]
    Fak,
    #[component(name = "fok")]
    Fok,
    #[component(name = "gtc")]
    Gtc,
    #[component(name = "gtd")]
    Gtd(u64),
}

impl From<WireTimeInForce> for TimeInForce {
    fn from(wire: WireTimeInForce) -> Self {
        match wire {
            WireTimeInForce::Fak => Self::Fak,
            WireTimeInForce::Fok => Self::Fok,
            WireTimeInForce::Gtc => Self::Gtc,
            WireTimeInForce::Gtd(until) => Self::Gtd(Timestamp(until)),
        }
    }
}

/// The legs stay in the guest's memory until their number is known to be small.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireIntent {
    pub(super) opportunity: Option<EventId>,
    pub(super) tag: u64,
    pub(super) legs: WasmList<WireIntentLeg>,
    pub(super) qty: i64,
    #[component(name = "time-in-force")]
    pub(super) time_in_force: WireTimeInForce,
    #[component(name = "expected-edge")]
    pub(super) expected_edge: i64,
}

impl From<IntentId> for EventId {
    fn from(id: IntentId) -> Self {
        Self {
            seq: id.seq.0,
            n: id.n,
        }
    }
}

impl From<OpportunityId> for EventId {
    fn from(id: OpportunityId) -> Self {
        Self {
            seq: id.seq.0,
            n: id.n,
        }
    }
}

impl From<TopicSet> for Topics {
    fn from(set: TopicSet) -> Self {
        let has = |topic| set & topic == topic;
        Topics {
            quotes: has(TopicSet::QUOTES),
            markets: has(TopicSet::MARKETS),
            prints: has(TopicSet::PRINTS),
            oracle_ticks: has(TopicSet::ORACLE_TICKS),
            oracle_lag: has(TopicSet::ORACLE_LAG),
            mispricing: has(TopicSet::MISPRICING),
            cross_platform: has(TopicSet::CROSS_PLATFORM),
        }
    }
}

impl From<&Quote> for WireQuote {
    fn from(quote: &Quote) -> Self {
        let (bid_price, bid_qty) = quote.bid.map_or((0, 0), |(p, q)| (p.0, q.0));
        let (ask_price, ask_qty) = quote.ask.map_or((0, 0), |(p, q)| (p.0, q.0));
        Self {
            instrument: quote.instrument.0,
            bid_price,
            bid_qty,
            ask_price,
            ask_qty,
        }
    }
}

impl WireEvent {
    /// `None` for an event that the world has no word for: it is not told.
    pub(super) fn new(event: &StrategyEvent<'_>) -> Option<Self> {
        Some(match event {
            StrategyEvent::MarketListed(spec) => Self::MarketListed(market(spec)),
            StrategyEvent::MarketClosed(id) => Self::MarketClosed(id.0),
            StrategyEvent::OracleTick(tick) => Self::OracleTick(oracle_tick(tick)?),
            StrategyEvent::Print(print) => Self::Print(self::print(print)),
            StrategyEvent::Opportunity { seen, free_capital } => {
                Self::Opportunity(opportunity(seen, *free_capital)?)
            }
            StrategyEvent::Filled(fill) => Self::Filled(self::fill(fill)),
            StrategyEvent::Refused(refusal) => Self::Refused(self::refusal(refusal)),
            StrategyEvent::Settled(settled) => Self::Settled(settlement(settled)),
            StrategyEvent::Gap(instrument) => Self::Gap(instrument.0),
            StrategyEvent::Timer => Self::Timer,
        })
    }
}

fn market(spec: &MarketSpec) -> WireMarket {
    WireMarket {
        id: spec.id.0,
        venue: spec.venue.as_str().to_owned(),
        slug: spec.slug.clone(),
        question: spec.question.clone(),
        outcomes: spec
            .outcomes
            .iter()
            .map(|o| WireOutcome {
                instrument: o.instrument.0,
                name: o.name.clone(),
            })
            .collect(),
        tick: spec.book_grid().0,
        lot: spec.lot.0,
        // Where it is not known, orders are refused for that reason.
        min_qty: spec.min_qty.map_or(0, |qty| qty.0),
        fee: fee(spec.fee),
        maker_fee: fee(spec.maker_fee),
        opens_at: spec.opens_at.0,
        closes_at: spec.closes_at.0,
        oracle: spec.settlement.oracle().map(|id| id.0),
    }
}

fn fee(schedule: FeeSchedule) -> WireFee {
    match schedule {
        FeeSchedule::Free => WireFee::Free,
        FeeSchedule::Quadratic { rate_ppm, .. } => WireFee::Quadratic(rate_ppm),
        FeeSchedule::QuadraticSquared { .. } | FeeSchedule::Unknown => WireFee::Other,
    }
}

/// `None` when the value does not fit 1e-8 dollars in 64 bits.
fn oracle_tick(tick: &OracleTick) -> Option<WireOracleTick> {
    let price_e8 = div_round(tick.price.0, 10_i128.pow(10), Rounding::Down)?;
    Some(WireOracleTick {
        oracle: tick.oracle.0,
        price_e8: i64::try_from(price_e8).ok()?,
        source_time: tick.source_time.0,
    })
}

fn print(print: &Print) -> WirePrint {
    WirePrint {
        instrument: print.instrument.0,
        price: print.price.0,
        qty: print.qty.0,
        taker_bought: print.taker_bought,
    }
}

fn opportunity(seen: &Opportunity, free_capital: Usd) -> Option<WireOpportunity> {
    Some(WireOpportunity {
        id: seen.id.into(),
        kind: match seen.kind {
            OpportunityKind::OracleLag => WireKind::OracleLag,
            OpportunityKind::Mispricing => WireKind::Mispricing,
            OpportunityKind::CrossPlatform => WireKind::CrossPlatform,
            OpportunityKind::Signal => return None,
        },
        legs: seen.legs.iter().map(opportunity_leg).collect(),
        edge: seen.edge.0,
        qty: seen.qty.0,
        closes_at: seen.closes_at.0,
        oracle_age_ms: u32::try_from(seen.oracle_age.ms()).unwrap_or(u32::MAX),
        free_capital: free_capital.0,
    })
}

fn opportunity_leg(leg: &OpportunityLeg) -> WireOpportunityLeg {
    WireOpportunityLeg {
        instrument: leg.instrument.0,
        market: leg.market.0,
        price: leg.price.0,
        qty: leg.qty.0,
        fair: leg.fair.map(|p| p.0),
        fee: leg.fee.0,
        book_age_ms: u32::try_from(leg.book_age.ms()).unwrap_or(u32::MAX),
    }
}

fn fill(fill: &Filled) -> WireFill {
    WireFill {
        intent: fill.intent.into(),
        tag: fill.tag,
        instrument: fill.instrument.0,
        bought: fill.bought,
        qty: fill.qty.0,
        price: fill.price.0,
        fee: fill.fee.0,
        maker: fill.maker,
    }
}

fn refusal(refusal: &Refused) -> WireRefusal {
    WireRefusal {
        intent: refusal.intent.into(),
        tag: refusal.tag,
        instrument: refusal.instrument.0,
        reason: refusal.reason.code().to_owned(),
    }
}

fn settlement(settled: &Settled) -> WireSettlement {
    WireSettlement {
        market: settled.market.0,
        instrument: settled.instrument.0,
        payout: settled.payout.0,
        pnl: settled.pnl.0,
    }
}
