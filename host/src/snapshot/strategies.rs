//! Every strategy of the run: what it was given, what it did, how it is.
//!
//! Everything here is bounded: [`CHANGES_MAX`] changes and [`LINES_KEPT`] lines of log a strategy, and
//! [`NEWS_MAX`] pieces of news in all.
//!
//! [`CHANGES_MAX`]: crate::plugin::loader::CHANGES_MAX
//! [`LINES_KEPT`]: crate::plugin::usage::LINES_KEPT
//! [`NEWS_MAX`]: crate::plugin::loader::NEWS_MAX

use super::{Instant, Money};
use crate::plugin::loader::{self, ChangeKind, STRIKES, Slot, Status};
use crate::plugin::{Limits, Loader, hex};
use crate::shadow::ShadowRow;
use pm_arb_core::engine::{EngineStatus, StrategyStatus};
use pm_arb_core::strategy::Topics;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Strategies {
    /// In order of their names.
    pub strategies: Vec<StrategyRow>,
    /// What happened to strategies lately, oldest first.
    pub news: Vec<NewsRow>,
}

/// One strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StrategyRow {
    /// Its name.
    pub name: String,
    /// What it says its version is.
    pub version: String,
    /// Which load of it runs.
    pub generation: u32,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Whether it is called.
    pub state: State,
    /// Why it is not, in words.
    pub state_why: Option<String>,
    /// When it is started again, in the run's time.
    pub restarts_at: Option<Instant>,
    /// Why changes of its file are not followed, in an operator's words.
    pub pinned: Option<String>,
    /// Whether its file holds other bytes, which wait until it is followed again.
    pub awaited: bool,
    /// Its file; none when it is gone.
    pub file: Option<String>,
    /// The watch over it since it took over, while that lasts.
    pub watch: Option<WatchRow>,
    /// Where a rollback goes.
    pub earlier: Option<Generation>,
    /// Its share of equity in basis points.
    pub share_bps: i32,
    /// What it has tied up: orders in flight, at rest, and positions.
    pub committed: Money,
    /// Gains of everything it sold or that settled, after all its fees (of open positions too).
    pub net: Money,
    /// Rows of its that ended.
    pub settled: u32,
    /// Calls, of all generations.
    pub calls: u64,
    /// Intents.
    pub intents: u64,
    /// Of them denied.
    pub denied: u64,
    /// Legs filled.
    pub fills: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Failures that count toward its quarantine.
    pub strikes: u32,
    /// So many end it.
    pub strikes_max: u32,
    /// What the calls of this generation cost.
    pub costs: Costs,
    /// What it wants to hear.
    pub wants: Vec<String>,
    /// The settings it was handed.
    pub settings: Vec<Setting>,
    /// What it asks for and what it may of that.
    pub capabilities: Vec<CapabilityRow>,
    /// What it asks for by name or number and is not granted.
    pub not_granted: Vec<String>,
    /// The interfaces it asks for; the host grants these and no other, or refuses the component.
    pub imports: Vec<Import>,
    /// What became of it, oldest first.
    pub changes: Vec<ChangeRow>,
    /// The last lines it wrote, oldest first.
    pub log: Vec<LogRow>,
    /// The candidate in its shadow, or the last one there was in this process.
    pub shadow: Option<ShadowRow>,
}

/// Whether a strategy is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is.
    Running,
    /// It failed and is started again soon.
    Restarting,
    /// It failed too often, or an operator stopped it.
    Quarantined,
    /// It was taken out.
    Unloaded,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Restarting => "restarting",
            State::Quarantined => "quarantined",
            State::Unloaded => "unloaded",
        }
    }
}

/// A watch over a generation that took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchRow {
    /// Which generation stands by.
    pub standby: u32,
    /// Whether it could take over now: it could not once a call of its own failed.
    pub ready: bool,
    /// Seconds of the run's time until the one before is let go.
    pub left_secs: u64,
    /// When that is, in the run's time.
    pub until: Instant,
}

/// A generation that could run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Its own version.
    pub version: String,
    /// Which load it was.
    pub generation: u32,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// What calls cost, beside what they may.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Costs {
    /// Calls of this generation.
    pub calls: u64,
    /// Fuel of the last call.
    pub fuel_last: u64,
    /// Fuel of a call on average.
    pub fuel_mean: u64,
    /// Fuel of the dearest call.
    pub fuel_max: u64,
    /// Fuel that a call may use.
    pub fuel_limit: u64,
    /// Calls that were timed: one in sixteen.
    pub timed: u64,
    /// Nanoseconds of a timed call on average.
    pub time_mean_ns: u64,
    /// 99 of 100 timed calls took no longer, to a quarter; nanoseconds.
    pub time_p99_ns: u64,
    /// Nanoseconds of the slowest timed call.
    pub time_max_ns: u64,
    /// Bytes of all its memories.
    pub memory: u64,
    /// Bytes it may have.
    pub memory_limit: u64,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// One kind of thing that a strategy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapabilityRow {
    /// Which: venues, market families, oracles, cost of an order…
    pub what: String,
    /// What it asks for.
    pub asks: String,
    /// What it may: that, as far as it is granted.
    pub may: String,
}

/// An interface that a component imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// Its name, with its version.
    pub name: String,
    /// What it can do through it.
    pub grants: String,
}

/// Something that became of a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRow {
    /// When, in the run's time.
    pub at: Instant,
    /// `loaded`, `committed`, `reverted`, `refused`, `quarantined`, `unloaded`, or an operator's word: `pin`, `release`…
    pub what: String,
    /// The generation before, for a load.
    pub from_generation: Option<u32>,
    /// SHA-256 of the bytes before, for a load.
    pub from_digest: Option<String>,
    /// The generation, for a load.
    pub generation: Option<u32>,
    /// Its own version, for a load.
    pub version: Option<String>,
    /// SHA-256 of the bytes loaded or refused; none when they could not be read.
    pub digest: Option<String>,
    /// Whether the state of the one before was kept, for a load.
    pub state_kept: Option<bool>,
    /// How long no event could be told, in microseconds; none for loads of an earlier process.
    pub pause_us: Option<u64>,
    /// Why, in words.
    pub why: String,
}

/// A line of a strategy's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogRow {
    /// The time of the event it was written at.
    pub at: Instant,
    /// `debug`, `info`, `warn`, `error`.
    pub level: String,
    /// What it wrote; as text, whatever is in it.
    pub text: String,
}

/// Something worth saying at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewsRow {
    /// Counts the news of this process, from 1: what is above the last one seen is new.
    pub number: u64,
    /// When, in the run's time.
    pub at: Instant,
    /// Whether it went as somebody wished.
    pub good: bool,
    /// In a line.
    pub text: String,
}

impl Strategies {
    /// As of now.
    #[must_use]
    pub fn of(status: &EngineStatus, loader: &Loader) -> Self {
        let row = |slot: &Slot| {
            let own = status.strategies.iter().find(|s| s.id == slot.id);
            let watch = slot.watch.as_ref().map(|watch| {
                let ends = watch.since.plus(loader.policy().watch);
                WatchRow {
                    standby: watch.standby(),
                    ready: own.is_some_and(|own| own.standby),
                    until: Instant(ends),
                    left_secs: ends.since(status.now).0.div_ceil(1_000_000_000),
                }
            });
            StrategyRow {
                watch,
                ..StrategyRow::of(slot, own, loader.shadows().row(&slot.manifest.name))
            }
        };
        let news = |news: &loader::News| NewsRow {
            number: news.number,
            at: Instant(news.at),
            good: news.good,
            text: news.text.clone(),
        };
        Self {
            strategies: loader.slots().map(row).collect(),
            news: loader.news().map(news).collect(),
        }
    }

    /// The strategy of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&StrategyRow> {
        self.strategies.iter().find(|row| row.name == name)
    }
}

impl StrategyRow {
    fn of(slot: &Slot, status: Option<&StrategyStatus>, shadow: Option<ShadowRow>) -> Self {
        let none = StrategyStatus {
            id: slot.id,
            name: String::new(),
            generation: 0,
            alive: false,
            share: Default::default(),
            committed: Default::default(),
            net: Default::default(),
            settled: 0,
            calls: 0,
            intents: 0,
            denied: 0,
            fills: 0,
            faults: 0,
            standby: false,
        };
        let status = status.unwrap_or(&none);
        let (state, state_why, restarts_at) = state(slot);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            name: slot.manifest.name.clone(),
            version: slot.manifest.version.clone(),
            generation: slot.generation,
            digest: hex(&slot.digest),
            state,
            state_why,
            restarts_at,
            pinned: slot.pinned.clone(),
            awaited: slot.is_awaited(),
            file: slot.path().map(|path| path.display().to_string()),
            watch: None,
            earlier: slot.earlier().map(|past| Generation {
                version: past.version.clone(),
                generation: past.generation,
                digest: hex(&past.digest),
            }),
            share_bps: status.share.0,
            committed: Money(status.committed),
            net: Money(status.net),
            settled: status.settled,
            calls: status.calls,
            intents: status.intents,
            denied: status.denied,
            fills: status.fills,
            faults: status.faults,
            strikes: count(slot.strikes()),
            strikes_max: count(STRIKES),
            costs: costs(slot, &slot.limits().within(&slot.may)),
            wants: wants(slot.manifest.topics),
            settings: slot
                .params()
                .iter()
                .map(|(key, value)| Setting {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect(),
            capabilities: capabilities(slot),
            not_granted: slot.not_granted(),
            imports: slot.imports().iter().map(|name| import(name)).collect(),
            changes: slot.changes().map(change).collect(),
            log: log(slot),
            shadow,
        }
    }
}

fn state(slot: &Slot) -> (State, Option<String>, Option<Instant>) {
    let fault = || slot.fault.as_ref().map(|fault| format!("it {fault}"));
    match &slot.status {
        Status::Running => (State::Running, None, None),
        Status::Restarting { at } => (State::Restarting, fault(), Some(Instant(*at))),
        Status::Condemned(_) | Status::Quarantined => {
            let held = slot
                .held
                .as_ref()
                .map(|note| format!("by an operator: {note}"));
            (State::Quarantined, held.or_else(fault), None)
        }
        Status::Unloaded => {
            let why = "no file that this start names holds it";
            (State::Unloaded, Some(why.to_owned()), None)
        }
    }
}

fn costs(slot: &Slot, limits: &Limits) -> Costs {
    let costs = slot.usage.costs();
    let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Costs {
        calls: costs.calls,
        fuel_last: costs.fuel_last,
        fuel_mean: costs.fuel_mean,
        fuel_max: costs.fuel_max,
        fuel_limit: limits.call_fuel,
        timed: costs.timed,
        time_mean_ns: ns(costs.time_mean),
        time_p99_ns: ns(costs.time_p99),
        time_max_ns: ns(costs.time_max),
        memory: costs.memory,
        memory_limit: limits.memory_bytes as u64,
    }
}

fn capabilities(slot: &Slot) -> Vec<CapabilityRow> {
    let (asks, may) = (slot.asks().words(), slot.may.words());
    let row = |((what, asks), (_, may)): ((&str, String), (&str, String))| CapabilityRow {
        what: what.to_owned(),
        asks,
        may,
    };
    asks.into_iter().zip(may).map(row).collect()
}

fn wants(topics: Topics) -> Vec<String> {
    [
        (topics.quotes, "quotes"),
        (topics.markets, "markets"),
        (topics.prints, "prints"),
        (topics.oracle_ticks, "oracle ticks"),
        (topics.oracle_lag, "oracle-lag opportunities"),
        (topics.mispricing, "mispricing opportunities"),
        (topics.cross_platform, "cross-platform opportunities"),
    ]
    .into_iter()
    .filter(|(wanted, _)| *wanted)
    .map(|(_, name)| name.to_owned())
    .collect()
}

/// What an interface of the contract can do. Components that import any other are refused.
fn import(name: &str) -> Import {
    let grants = if name.starts_with("pm-arb:strategy/host@") {
        "log, submit, cancel, wake-at"
    } else if name.starts_with("pm-arb:strategy/types@") {
        "types only"
    } else if name.starts_with("wasi:clocks/") {
        "the event's time, not the real one"
    } else if name.starts_with("wasi:random/") {
        "the same numbers in every run"
    } else if name.starts_with("wasi:filesystem/") {
        "no files"
    } else if name.starts_with("wasi:sockets/") {
        "no network"
    } else {
        "nothing in, nothing out"
    };
    Import {
        name: name.to_owned(),
        grants: grants.to_owned(),
    }
}

fn change(change: &loader::Change) -> ChangeRow {
    let mut row = ChangeRow {
        at: Instant(change.at),
        what: String::new(),
        from_generation: None,
        from_digest: None,
        generation: None,
        version: None,
        digest: None,
        state_kept: None,
        pause_us: None,
        why: change.why.clone(),
    };
    row.what = match &change.kind {
        ChangeKind::Loaded {
            from,
            generation,
            digest,
            version,
            restored,
            pause,
        } => {
            row.from_generation = from.map(|(generation, _)| generation);
            row.from_digest = from.as_ref().map(|(_, digest)| hex(digest));
            row.generation = Some(*generation);
            row.version = Some(version.clone());
            row.digest = Some(hex(digest));
            row.state_kept = Some(*restored);
            row.pause_us = pause.map(|pause| u64::try_from(pause.as_micros()).unwrap_or(u64::MAX));
            "loaded"
        }
        ChangeKind::Refused { digest } => {
            row.digest = (*digest != [0; 32]).then(|| hex(digest));
            "refused"
        }
        ChangeKind::Committed { generation } => {
            row.generation = Some(*generation);
            "committed"
        }
        ChangeKind::Reverted {
            from,
            generation,
            digest,
            version,
        } => {
            row.from_generation = Some(from.0);
            row.from_digest = Some(hex(&from.1));
            row.generation = Some(*generation);
            row.version = Some(version.clone());
            row.digest = Some(hex(digest));
            row.state_kept = Some(true);
            "reverted"
        }
        ChangeKind::Quarantined => "quarantined",
        ChangeKind::Operator(action) => action.as_str(),
        ChangeKind::Unloaded => "unloaded",
        ChangeKind::Shadowed { begins, digest } => {
            row.digest = Some(hex(digest));
            if *begins {
                "shadow begins"
            } else {
                "shadow ends"
            }
        }
    }
    .to_owned();
    row
}

fn log(slot: &Slot) -> Vec<LogRow> {
    let lines = slot.usage.lines().into_iter();
    lines
        .map(|line| LogRow {
            at: Instant(line.at),
            level: line.level.to_owned(),
            text: line.text,
        })
        .collect()
}
