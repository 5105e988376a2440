//! From a run's folder to a session that can go on: one path for a new run, a stopped one and a
//! killed one.
//!
//! The journal is replayed from its first record; what the database has not confirmed is sent to it
//! again; then everything that may have changed meanwhile is marked untrusted.

use super::session::{LoaderView, Session};
use super::{PilotError, RunChoice, counts};
use crate::clock::Clock;
use crate::config::Config;
use crate::journal::{JournalWriter, RunMeta};
use crate::latch;
use crate::plugin::{Loader, LoaderInput, Outcome, PluginHost, Tracker};
use crate::replay::{self, Cast, Replayed};
use crate::store::{RelayError, RelayHandle, RunInfo, StoreOp};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::Effect;
use pm_arb_core::event::{Command, Event, GapScope};
use pm_arb_core::ids::{Seq, Timestamp, Venue};
use pm_arb_core::market::MarketStatus;
use std::path::Path;

/// The row of a run.
pub fn run_info(meta: &RunMeta, config: &Config) -> RunInfo {
    let created = meta
        .created
        .parse::<jiff::Timestamp>()
        .map_or(0, |t| t.as_nanosecond());
    RunInfo {
        run_id: meta.run_id,
        source: meta.source.clone(),
        created: Timestamp(u64::try_from(created).unwrap_or(0)),
        host_version: meta.host_version.clone(),
        config: serde_json::to_string(config).unwrap_or_default(),
    }
}

/// Opens the run's journal (cutting what a crash left half-written) and replays it. What the database
/// lacks is handed to `relay` on the way. Blocks.
pub fn resume(
    choice: &RunChoice,
    host: PluginHost,
    relay: &RelayHandle,
    persisted: Seq,
) -> Result<(JournalWriter, Replayed, Loader), PilotError> {
    if choice.is_new {
        let journal = JournalWriter::create(&choice.dir, &choice.meta)?;
        return Ok((journal, Replayed::default(), Loader::new(host)));
    }
    let (journal, found) = JournalWriter::open(&choice.dir)?;
    if let Some(cut) = found.cut {
        tracing::warn!(
            ?cut,
            "the journal ended in a half-written record, which was cut off"
        );
    }
    let mut refused: Option<RelayError> = None;
    // A record's effects go together: the database's position says that all of them are stored.
    let mut waiting: (Seq, Vec<StoreOp>) = (Seq(0), Vec::new());
    let mut hand_over = |(seq, ops): (Seq, Vec<StoreOp>)| {
        if !ops.is_empty() && refused.is_none() {
            refused = relay.blocking_send(seq, ops).err();
        }
    };
    let mut resend = |seq: Seq, effect: &Effect| {
        if seq <= persisted {
            return;
        }
        let Some(op) = StoreOp::of(seq, effect) else {
            return;
        };
        if seq != waiting.0 {
            hand_over(std::mem::replace(&mut waiting, (seq, Vec::new())));
        }
        waiting.1.push(op);
    };
    let (replayed, loader) = replay::replay(&choice.dir, host, None, Cast::Own, &mut resend)?;
    hand_over(waiting);
    if replayed.last_seq > Seq(0) {
        let counts = counts::of(&replayed.engine, replayed.last_seq);
        hand_over((replayed.last_seq, vec![counts]));
    }
    match refused {
        Some(error) => Err(PilotError::Relay(error)),
        None => {
            tracing::info!(records = replayed.counts.events, "the journal was replayed");
            Ok((journal, replayed, loader))
        }
    }
}

/// Brings a resumed session to the present: settings, interruptions, word left by an operator, and
/// the strategies that are to trade from now on.
pub fn enter(
    session: &mut Session,
    loader: &mut Loader,
    tracker: &mut Tracker,
    config: EngineConfig,
    in_force: Option<&EngineConfig>,
    data_dir: &Path,
    clock: &Clock,
) -> Result<(), PilotError> {
    let interrupted = session.last_at();
    if in_force.is_some() {
        // In the instant of the last record, so that orders which were in flight then meet an
        // interrupted book and not the one of before.
        for venue in Venue::ALL {
            let event = Event::Gap {
                scope: GapScope::Venue(venue),
                cause: "the pilot was not running".into(),
            };
            session.record(interrupted, event)?;
        }
        let oracles: Vec<_> = session
            .engine
            .market_data()
            .oracles()
            .map(|oracle| oracle.spec().id)
            .collect();
        for oracle in oracles {
            session.record(interrupted, Event::OracleGap(oracle))?;
        }
    }
    if in_force != Some(&config) {
        session.record(clock.now(), Event::Configured(Box::new(config)))?;
    }
    let note = latch::find(data_dir).map_err(|source| PilotError::System {
        what: "read latch.json in the data folder",
        source,
    })?;
    if let Some(note) = note {
        session.record(clock.now(), Event::Command(Command::from(note)))?;
        // Only what is durable may be forgotten. No effects wait: nothing was traded yet.
        let _ = session.commit()?;
        latch::clear(data_dir).map_err(|source| PilotError::System {
            what: "remove latch.json in the data folder",
            source,
        })?;
    }
    let at = clock.now();
    let mut view = LoaderView { session, at };
    for input in tracker.scan() {
        if let LoaderInput::Refused { path, why, .. } = &input {
            return Err(PilotError::StrategyRefused {
                path: path.clone(),
                why: why.clone(),
            });
        }
        if let Outcome::Refused { path, why } = loader.handle(input, &mut view)? {
            return Err(PilotError::StrategyRefused { path, why });
        }
    }
    loader.settle(&mut view)?;
    Ok(())
}

/// Markets whose outcome is not known or is in dispute: watchers go on asking for it.
pub fn unresolved(session: &Session, venue: Venue) -> Vec<String> {
    session
        .engine
        .market_data()
        .markets()
        .filter(|market| market.spec.venue == venue)
        .filter(|market| {
            matches!(
                market.status,
                MarketStatus::Open
                    | MarketStatus::Paused
                    | MarketStatus::Pending
                    | MarketStatus::Disputed
            )
        })
        .map(|market| match venue {
            Venue::Polymarket => market.spec.slug.clone(),
            Venue::Kalshi => market.spec.native_id.clone(),
        })
        .collect()
}
