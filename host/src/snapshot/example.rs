//! One market of now, judged step by step by the scanner: what How It Works shows of the running pilot.
//!
//! Owns the choice of the market and nothing else: every number is the scanner's own.

use super::{Instant, Money, Shares};
use pm_arb_core::engine::Engine;
use pm_arb_core::ids::{MarketId, Timestamp};
use pm_arb_core::market_data::MarketState;
use pm_arb_core::scanner::{Offer, ScanLimits};
use pm_arb_core::units::{Price, Usd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Of so many markets that close soonest the first is shown of which something can be said.
const TRIED_MAX: usize = 8;
/// It is chosen anew after so many pictures, or when nothing more can be said of it.
const KEPT_PICTURES: u32 = 40;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Example {
    /// The venue.
    pub venue: String,
    /// The market's short name.
    pub market: String,
    /// Its question, as the venue words it.
    pub question: String,
    /// The outcome that is judged.
    pub outcome: String,
    /// What kind of question it is.
    pub family: String,
    /// Whose price decides it.
    pub oracle: String,
    /// When it closes, by the run's time.
    pub closes_at: Instant,
    /// Milliseconds until then.
    pub left_ms: u64,
    /// Where its fee was read.
    pub fee_rule: String,
    /// How long its venue holds an order; `null` when no rule says.
    pub venue_delay_ms: Option<u64>,
    /// Best bid.
    pub bid: Option<Money>,
    /// What the scanner makes of its ask; `null` when nothing can be said.
    pub judged: Option<Judged>,
    /// `opportunity`, `no_edge`, or the code of the reason why nothing is reported.
    pub verdict: String,
    /// The least edge a share that is reported.
    pub edge_min: Money,
}

/// A judged ask, a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// The oracle's value, in dollars.
    pub spot: String,
    /// What it is compared with.
    pub strike: String,
    /// Age of that value.
    pub oracle_age_ms: u64,
    /// Best ask.
    pub ask: Money,
    /// Shares offered there.
    pub qty: Shares,
    /// Probability by the plain digital.
    pub digital: Money,
    /// By the model.
    pub model: Money,
    /// Middle of the book; `null` when it has none.
    pub middle: Option<Money>,
    /// By model and market together.
    pub fair: Money,
    /// Fee.
    pub fee: Money,
    /// What is taken off for the model's calibration error.
    pub haircut: Money,
    /// What is left.
    pub edge: Money,
}

impl Judged {
    /// As the scanner said it.
    #[must_use]
    pub fn of(offer: &Offer) -> Self {
        Self {
            spot: offer.spot.to_string(),
            strike: offer.strike.to_string(),
            oracle_age_ms: offer.oracle_age.ms(),
            ask: dollars(offer.leg.price),
            qty: Shares(offer.leg.qty),
            digital: dollars(offer.digital),
            model: dollars(offer.model),
            middle: offer.middle.map(dollars),
            fair: dollars(offer.worth.fair),
            fee: Money(offer.leg.fee),
            haircut: Money(offer.worth.haircut),
            edge: Money(offer.worth.edge),
        }
    }
}

/// A price, and so a probability, in dollars a share.
fn dollars(price: Price) -> Money {
    Money(Usd(price.0))
}

/// Keeps to one market while it can be looked at.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    chosen: Option<MarketId>,
    shown: u32,
}

impl Chooser {
    pub(super) fn example(&mut self, engine: &Engine, now: Timestamp) -> Option<Example> {
        let kept = self.chosen.and_then(|id| engine.market_data().market(id));
        let kept = kept.filter(|m| {
            let told = self.shown < KEPT_PICTURES && is_candidate(m, now);
            told && judge(engine, m, now).is_ok()
        });
        let market = match kept {
            Some(market) => {
                self.shown += 1;
                Some(market)
            }
            None => {
                self.shown = 0;
                choose(engine, now)
            }
        };
        self.chosen = market.map(|m| m.spec.id);
        market.map(|market| describe(engine, market, now))
    }
}

fn is_candidate(market: &MarketState, now: Timestamp) -> bool {
    let spec = &market.spec;
    market.is_open()
        && spec.closes_at > now
        && spec.opens_at <= now
        && spec.outcomes.len() == 2
        && spec.settlement.oracle().is_some()
}

fn choose(engine: &Engine, now: Timestamp) -> Option<&MarketState> {
    let data = engine.market_data();
    let mut soonest = BTreeSet::new();
    for market in data.markets().filter(|m| is_candidate(m, now)) {
        soonest.insert((market.spec.closes_at, market.spec.id));
        if soonest.len() > TRIED_MAX {
            soonest.pop_last();
        }
    }
    let markets = || soonest.iter().filter_map(|(_, id)| data.market(*id));
    let told = markets().find(|m| judge(engine, m, now).is_ok());
    told.or_else(|| markets().next())
}

fn judge(
    engine: &Engine,
    market: &MarketState,
    now: Timestamp,
) -> Result<Offer, pm_arb_core::reason::Reason> {
    let limits = ScanLimits::from(&engine.config().risk);
    let data = engine.market_data();
    engine.scanner().offer(data, market.spec.id, now, limits)
}

fn describe(engine: &Engine, market: &MarketState, now: Timestamp) -> Example {
    let (spec, data) = (&market.spec, engine.market_data());
    let offer = judge(engine, market, now);
    let oracle = spec.settlement.oracle().and_then(|id| data.oracle(id));
    let oracle = oracle.map(|o| format!("{} {}", o.spec().source, o.spec().symbol));
    let first = spec.outcomes.first();
    let bid = first.and_then(|o| data.book(o.instrument)?.best_bid());
    let verdict = match &offer {
        Ok(offer) => match offer.verdict {
            Ok(true) => "opportunity",
            Ok(false) => "no_edge",
            Err(reason) => reason.code(),
        },
        Err(reason) => reason.code(),
    };
    Example {
        venue: spec.venue.as_str().to_owned(),
        market: spec.slug.clone(),
        question: spec.question.clone(),
        outcome: first.map(|o| o.name.clone()).unwrap_or_default(),
        family: spec.family(),
        oracle: oracle.unwrap_or_default(),
        closes_at: Instant(spec.closes_at),
        left_ms: spec.closes_at.since(now).ms(),
        fee_rule: spec.fee_rule.clone(),
        venue_delay_ms: spec.taker_delay.map(|delay| delay.ms()),
        bid: bid.map(|(price, _)| dollars(price)),
        verdict: verdict.to_owned(),
        judged: offer.ok().as_ref().map(Judged::of),
        edge_min: Money(engine.config().scanner.edge_min),
    }
}
