//! Every limit of the risk guardian with its present use.
//!
//! Owns the words around the numbers; the numbers are the engine's own ([`Engine::limits_in_use`]). Lists
//! of markets end at [`PLACES_MAX`], what is beyond is counted. Halts and denials are counted from the start
//! of this process on: the database has those of before.

use super::{Instant, Money};
use pm_arb_core::effect::{Effect, Message};
use pm_arb_core::engine::{Engine, EngineStatus};
use pm_arb_core::ids::MarketId;
use pm_arb_core::market::MarketSpec;
use pm_arb_core::reason::Reason;
use pm_arb_core::risk::{LimitsInUse, Loss};
use pm_arb_core::units::{Bps, Usd};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use utoipa::ToSchema;

/// Markets and groups that are named; the rest is counted.
pub const PLACES_MAX: usize = 20;
/// Halts and resumes that are kept; the oldest goes first.
pub const HALTS_MAX: usize = 20;
/// A limit that is used up to this is near: of 10,000.
pub const NEAR_BPS: i64 = 8_000;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Risk {
    /// Intents that were denied since the run began.
    pub denied: u64,
    /// Why nothing trades, when nothing trades.
    pub halted: Option<String>,
    /// What shares are shares of.
    pub equity: Money,
    /// Free.
    pub cash: Money,
    /// Limits that fill up, the fullest first.
    pub in_use: Vec<LimitUse>,
    /// Limits that every order is held against.
    pub per_order: Vec<OrderLimit>,
    /// Where capital is tied up and until when, most first.
    pub locked: Vec<Locked>,
    /// Markets in which something is tied up and that are not named above.
    pub locked_more: u64,
    /// What moves or pays together, most first.
    pub groups: Vec<Together>,
    /// Denials by reason since this pilot started, most first.
    pub denials: Vec<Denials>,
    /// Halts and resumes since this pilot started, oldest first.
    pub halts: Vec<Halt>,
}

/// A limit that fills up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUse {
    /// The reason code of a denial by it.
    pub code: String,
    /// What is limited.
    pub name: String,
    /// Of what: a market, a venue, a strategy; none for the whole.
    pub of: Option<String>,
    /// In use now, in the unit; below zero for a gain.
    pub used: String,
    /// The most there may be, in the unit.
    pub limit: String,
    /// `USD` or `intents`.
    pub unit: String,
    /// In use, of 10,000; a gain uses nothing.
    pub used_bps: i64,
    /// What the limit is, in words.
    pub rule: String,
}

/// A limit that one order at a time is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLimit {
    /// The reason code of a denial by it.
    pub code: String,
    /// What is limited.
    pub name: String,
    /// The limit, in the unit.
    pub limit: String,
    /// Its unit.
    pub unit: String,
    /// What it does.
    pub rule: String,
    /// Intents it denied since this pilot started.
    pub denied: u64,
}

/// Capital in a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Locked {
    /// The venue's short name of the market. Untrusted text.
    pub market: String,
    /// Where.
    pub venue: String,
    /// Orders in flight and at rest, and positions at cost.
    pub used: Money,
    /// When the question is decided; the payment follows the venue's word.
    pub until: Option<Instant>,
}

/// Markets that move or pay together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Together {
    /// The event, the oracle, or the market that stands alone.
    pub group: String,
    /// Why these belong together.
    pub because: String,
    /// Markets in which something is tied up.
    pub markets: u64,
    /// Tied up in all.
    pub used: Money,
}

/// Denials for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Denials {
    /// The code.
    pub code: String,
    /// What it means.
    pub meaning: String,
    /// Intents.
    pub intents: u64,
}

/// Trading stopped, or went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Halt {
    /// When, in the run's time.
    pub at: Instant,
    /// Whether it stopped.
    pub halted: bool,
    /// Why, or the note of whoever resumed.
    pub why: String,
}

/// What of the past a picture shows.
#[derive(Debug, Default)]
pub(super) struct Past {
    denials: BTreeMap<Reason, u64>,
    halts: VecDeque<Halt>,
}

impl Past {
    /// An effect is durable.
    pub(super) fn effect(&mut self, effect: &Effect) {
        let Effect::Publish(message) = effect else {
            return;
        };
        match &**message {
            Message::Decision(decision) => {
                if let Err(denied) = &decision.verdict {
                    let count = self.denials.entry(denied.reason).or_default();
                    *count = count.saturating_add(1);
                }
            }
            Message::Alert(alert) if matches!(alert.code.as_str(), "HALTED" | "RESUMED") => {
                if self.halts.len() >= HALTS_MAX {
                    self.halts.pop_front();
                }
                self.halts.push_back(Halt {
                    at: Instant(alert.at),
                    halted: alert.code == "HALTED",
                    why: alert.text.clone(),
                });
            }
            _ => {}
        }
    }
}

impl Risk {
    /// As of now.
    #[must_use]
    pub(super) fn of(status: &EngineStatus, engine: &Engine, past: &Past) -> Self {
        let look = engine.limits_in_use();
        let mut in_use = in_use(status, engine, &look);
        in_use.sort_by_key(|limit| std::cmp::Reverse(limit.used_bps));
        let locked = look.markets.iter().take(PLACES_MAX);
        let mut denials: Vec<Denials> = past
            .denials
            .iter()
            .map(|(reason, intents)| Denials {
                code: reason.code().to_owned(),
                meaning: reason.meaning().trim().to_owned(),
                intents: *intents,
            })
            .collect();
        denials.sort_by_key(|d| std::cmp::Reverse(d.intents));
        let beyond = look.markets.len().saturating_sub(PLACES_MAX);
        Self {
            denied: status.counts.denied,
            halted: status.halted.clone(),
            equity: Money(look.equity),
            cash: Money(look.cash),
            in_use,
            per_order: per_order(engine, past),
            locked: locked
                .map(|place| self::locked(engine, place.place, place.used))
                .collect(),
            locked_more: u64::try_from(beyond).unwrap_or(u64::MAX),
            groups: groups(engine, &look),
            denials,
            halts: past.halts.iter().cloned().collect(),
        }
    }
}

/// How much of a limit is used, of 10,000; all of it when the limit is nothing.
fn used_bps(used: i64, limit: i64) -> i64 {
    if used <= 0 {
        return 0;
    }
    let bps = i128::from(used) * 10_000 / i128::from(limit.max(1));
    i64::try_from(bps).unwrap_or(i64::MAX)
}

/// A limit in dollars.
fn dollars(
    reason: Reason,
    name: &str,
    of: Option<String>,
    used: Usd,
    limit: Usd,
    rule: String,
) -> LimitUse {
    LimitUse {
        code: reason.code().to_owned(),
        name: name.to_owned(),
        of,
        used: used.to_string(),
        limit: limit.to_string(),
        unit: "USD".to_owned(),
        used_bps: used_bps(used.0, limit.0),
        rule,
    }
}

/// `10 %`, `2.5 %`
fn percent(share: Bps) -> String {
    format!("{} %", f64::from(share.0) / 100.0)
}

fn in_use(status: &EngineStatus, engine: &Engine, look: &LimitsInUse) -> Vec<LimitUse> {
    let limits = &engine.config().risk;
    let mut all = Vec::new();
    let mut loss = |reason, name: &str, loss: Option<Loss>, of: &str| {
        if let Some(loss) = loss {
            let rule = format!("{} of {} USD, {of}", percent(loss.share), loss.from);
            all.push(dollars(reason, name, None, loss.lost, loss.limit, rule));
        }
    };
    let day = "the equity at midnight UTC; reaching it halts";
    loss(Reason::DailyLoss, "Loss of the day", look.day, day);
    let high = "the highest equity so far; reaching it halts, and the mark never falls by itself";
    loss(Reason::Drawdown, "Drawdown", look.drawdown, high);
    for (place, limit) in look
        .markets
        .iter()
        .take(PLACES_MAX)
        .zip(std::iter::repeat(look.market_limit))
    {
        let rule = format!(
            "{} of equity in one market",
            percent(limits.position_per_market)
        );
        let of = Some(slug(engine, place.place));
        let limit = limit.unwrap_or_default();
        let reason = Reason::PositionLimitMarket;
        all.push(dollars(
            reason,
            "Position in a market",
            of,
            place.used,
            limit,
            rule,
        ));
    }
    for place in &look.venues {
        let rule = format!(
            "{} of equity on one venue",
            percent(limits.position_per_venue)
        );
        let limit = look.venue_limit.unwrap_or_default();
        let of = Some(place.place.to_string());
        let reason = Reason::PositionLimitVenue;
        all.push(dollars(
            reason,
            "Positions on a venue",
            of,
            place.used,
            limit,
            rule,
        ));
    }
    for used in &look.strategies {
        let name = status.strategies.iter().find(|s| s.id == used.strategy);
        let name = name.map(|s| s.name.clone());
        let rule = format!("its share of equity, {}", percent(used.share));
        let (reason, what) = (Reason::Capital, "Capital of a strategy");
        all.push(dollars(
            reason,
            what,
            name.clone(),
            used.committed,
            used.capital,
            rule,
        ));
        let (intents, limit) = (used.intents, used.intents_limit);
        let rule = if used.intents_granted {
            "within the last second; what it asks for and is granted"
        } else {
            "within the last second"
        };
        all.push(LimitUse {
            code: Reason::RateLimit.code().to_owned(),
            name: "Intents of a strategy".to_owned(),
            of: name,
            used: intents.to_string(),
            limit: limit.to_string(),
            unit: "intents".to_owned(),
            used_bps: used_bps(i64::try_from(intents).unwrap_or(i64::MAX), i64::from(limit)),
            rule: rule.to_owned(),
        });
    }
    all
}

fn per_order(engine: &Engine, past: &Past) -> Vec<OrderLimit> {
    let limits = &engine.config().risk;
    let row = |reason: Reason, name: &str, limit: String, unit: &str, rule: &str| OrderLimit {
        code: reason.code().to_owned(),
        name: name.to_owned(),
        limit,
        unit: unit.to_owned(),
        rule: rule.to_owned(),
        denied: past.denials.get(&reason).copied().unwrap_or(0),
    };
    let ms = |time: pm_arb_core::ids::Nanos| time.ms().to_string();
    vec![
        row(
            Reason::MaxOrderValue,
            "Value of an order",
            limits.order_value_max.to_string(),
            "USD",
            "at most: price limit times shares",
        ),
        row(
            Reason::MinProfit,
            "Expected profit",
            limits.profit_min.to_string(),
            "USD",
            "at least, of one intent after costs; sales are not asked for one",
        ),
        row(
            Reason::EdgeImplausible,
            "Claimed edge",
            limits.edge_max.to_string(),
            "USD a share",
            "at most: more is too good to be true",
        ),
        row(
            Reason::Slippage,
            "Slippage",
            percent(limits.slippage_of_edge).replace(" %", ""),
            "% of the edge",
            "at most, since the opportunity was seen",
        ),
        row(
            Reason::PriceCollar,
            "Distance from the best price",
            limits.collar.to_string(),
            "USD",
            "at most",
        ),
        row(
            Reason::StaleBook,
            "Age of a book",
            ms(limits.book_age_max),
            "ms",
            "at most",
        ),
        row(
            Reason::StaleOracle,
            "Age of an oracle's value",
            ms(limits.oracle_age_max),
            "ms",
            "at most, for oracle-lag orders",
        ),
        row(
            Reason::NearExpiry,
            "Time to the close",
            ms(limits.expiry_min),
            "ms",
            "at least",
        ),
    ]
}

fn spec(engine: &Engine, market: MarketId) -> Option<&MarketSpec> {
    engine.market_data().market(market).map(|m| &m.spec)
}

fn slug(engine: &Engine, market: MarketId) -> String {
    spec(engine, market).map_or_else(|| format!("market {market}"), |spec| spec.slug.clone())
}

fn locked(engine: &Engine, market: MarketId, used: Usd) -> Locked {
    let spec = spec(engine, market);
    Locked {
        market: slug(engine, market),
        venue: spec.map_or_else(String::new, |spec| spec.venue.to_string()),
        used: Money(used),
        until: spec.map(|spec| Instant(spec.closes_at)),
    }
}

/// What of a market's fate is shared with others: the venue's event, or the oracle that decides it.
fn group_of(engine: &Engine, market: MarketId) -> (String, String) {
    let found = spec(engine, market);
    if let Some(set) = found.and_then(|spec| spec.exclusive_set.as_ref()) {
        return (set.event.clone(), "outcomes of one event".to_owned());
    }
    let oracle = found.and_then(|spec| spec.settlement.oracle());
    match oracle.and_then(|id| engine.market_data().oracle(id)) {
        Some(oracle) => {
            let oracle = oracle.spec();
            (
                format!("{} {}", oracle.source, oracle.symbol),
                "decided by one oracle".to_owned(),
            )
        }
        None => (slug(engine, market), "stands alone".to_owned()),
    }
}

fn groups(engine: &Engine, look: &LimitsInUse) -> Vec<Together> {
    let mut groups: BTreeMap<(String, String), (u64, Usd)> = BTreeMap::new();
    for place in &look.markets {
        let group = groups.entry(group_of(engine, place.place)).or_default();
        group.0 += 1;
        group.1 = Usd(group.1.0.saturating_add(place.used.0));
    }
    let exposure = |((group, because), (markets, used))| Together {
        group,
        because,
        markets,
        used: Money(used),
    };
    let mut groups: Vec<Together> = groups.into_iter().map(exposure).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.used.0));
    groups.truncate(PLACES_MAX);
    groups
}
