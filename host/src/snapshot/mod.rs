//! What a running pilot shows of itself: one picture, taken now and then on the engine's thread.
//!
//! Owns [`Snapshot`], its sections (a file each, with what it takes to fill them) and the [`Watcher`] that
//! the engine's thread keeps. The dashboard, the terminal and the control socket read the same picture;
//! nobody who reads it can make the engine wait. It never decides anything and is no record of anything:
//! after a restart it begins anew, and what must survive is in the database.

mod calibration;
mod funnel;
mod lately;
mod risk;
mod strategies;
mod system;
mod trading;
mod units;

pub use calibration::Calibration;
pub use funnel::Funnel;
pub use lately::{LateTrade, Lately};
pub use risk::Risk;
pub use strategies::{Strategies, StrategyRow};
pub use system::System;
pub use trading::Trading;
pub use units::{Instant, Money, Shares};

use crate::clock::Clock;
use crate::orchestrator::HealthBoard;
use crate::plugin::Loader;
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Event;
use pm_arb_core::ids::Seq;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use utoipa::ToSchema;

/// A new picture is taken this often, and not more often.
pub const EVERY: Duration = Duration::from_millis(250);

/// The pilot at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// When it was taken, by the wall clock.
    pub taken: Instant,
    /// The run it belongs to.
    pub run: Run,
    /// Money and trades.
    pub trading: Trading,
    /// The last fills, and what all came to.
    pub lately: Lately,
    /// Every strategy.
    pub strategies: Strategies,
    /// Every limit with its use.
    pub risk: Risk,
    /// From markets seen to trades settled.
    pub funnel: Funnel,
    /// Fair values against outcomes.
    pub calibration: Calibration,
    /// Agents, feeds, database, bus, journal, clock, memory.
    pub system: System,
}

/// Which run, and what time it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its identity.
    pub id: String,
    /// `sim`, `live`, or the recording it trades again.
    pub source: String,
    /// The last journal record of the picture.
    pub seq: u64,
    /// The run's own time; the simulated world's runs faster than ours.
    pub now: Instant,
}

/// The latest picture; `None` before the first.
pub type Latest = watch::Receiver<Option<Arc<Snapshot>>>;

/// What the sections are filled from.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The engine between two records.
    pub engine: &'a Engine,
    /// Its strategies.
    pub loader: &'a Loader,
    /// Agents.
    pub board: &'a HealthBoard,
}

/// Kept by the engine's thread; takes the pictures.
pub struct Watcher {
    run_id: String,
    source: String,
    wall: Clock,
    lately: lately::Memory,
    taken: Option<std::time::Instant>,
    to: watch::Sender<Option<Arc<Snapshot>>>,
}

impl Watcher {
    /// Of that run; the pictures come out of the other end.
    #[must_use]
    pub fn new(run_id: String, source: String) -> (Self, Latest) {
        let (to, latest) = watch::channel(None);
        let watcher = Self {
            run_id,
            source,
            wall: Clock::utc(),
            lately: lately::Memory::default(),
            taken: None,
            to,
        };
        (watcher, latest)
    }

    /// Every input, before it is stepped.
    pub fn observe(&mut self, _event: &Event) {}

    /// Every effect, once it is durable.
    pub fn effect(&mut self, _cause: Seq, effect: &Effect) {
        self.lately.effect(effect);
    }

    /// Takes a picture when one is due.
    pub fn turn(&mut self, scene: Scene<'_>, seq: Seq) {
        if self.taken.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.taken = Some(std::time::Instant::now());
        let status = scene.engine.status();
        let snapshot = Snapshot {
            taken: Instant(self.wall.now()),
            run: Run {
                id: self.run_id.clone(),
                source: self.source.clone(),
                seq: seq.0,
                now: Instant(status.now),
            },
            trading: Trading::of(&status),
            lately: self.lately.picture(&scene.engine.summary()),
            strategies: Strategies::of(&status, scene.loader),
            risk: Risk::of(&status, scene.engine),
            funnel: Funnel::of(scene.engine),
            calibration: Calibration::default(),
            system: System::of(scene.board),
        };
        self.to.send_replace(Some(Arc::new(snapshot)));
    }
}
