//! What a running pilot shows of itself: one picture, taken now and then on the engine's thread.
//!
//! Owns [`Snapshot`], its sections (a file each, with what it takes to fill them) and the [`Watcher`] that
//! the engine's thread keeps. The dashboard, the terminal and the control socket read the same picture;
//! nobody who reads it can make the engine wait. It never decides anything and is no record of anything:
//! after a restart it begins anew, and what must survive is in the database.

mod calibration;
mod example;
/// The funnel as it is shown and stored.
pub mod funnel;
mod risk;
mod strategies;
mod system;
mod trading;
mod units;

pub use calibration::{
    Bin, Calibration, MARKETS_MIN, Predictor, Questions, Score, Verdict, Versus,
};
pub use example::{Example, Judged};
pub use funnel::Funnel;
pub use risk::{Denials, Halt, LimitUse, Locked, NEAR_BPS, OrderLimit, Risk, Together};
pub use strategies::{
    CapabilityRow, ChangeRow, Costs, Generation, Import, LogRow, NewsRow, Setting, State,
    Strategies, StrategyRow, WatchRow,
};
pub use system::{
    DatabaseRow, JournalRow, Problem, ProcessRow, ProgramRow, RedisRow, RefusedInputs, System,
    Vitals, VitalsWatch,
};
pub use trading::{
    Activity, EquityDot, Exposure, FillRow, Latency, PositionRow, Rate, Results, Today, Trading,
    TypeRow, VenueRow,
};
pub use units::{Instant, Money, Shares};

use crate::alerts::Notice;
use crate::calibrate::Observer;
use crate::clock::Clock;
use crate::orchestrator::HealthBoard;
use crate::plugin::Loader;
use crate::vitals::Gauges;
use pm_arb_core::effect::{Effect, Message};
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
    /// Every strategy.
    pub strategies: Strategies,
    /// Every limit with its use.
    pub risk: Risk,
    /// From markets seen to trades settled.
    pub funnel: Funnel,
    /// Fair values against outcomes.
    pub calibration: Calibration,
    /// One market of now, judged step by step; `None` while none with an oracle is open.
    pub example: Option<Example>,
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
    /// What watches its fair values.
    pub observer: &'a Observer,
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
    trading: trading::Memory,
    taken: Option<std::time::Instant>,
    chooser: example::Chooser,
    risk: risk::Past,
    gauges: Gauges,
    to: watch::Sender<Option<Arc<Snapshot>>>,
}

impl Watcher {
    /// Of that run; the pictures come out of the other end.
    #[must_use]
    pub fn new(run_id: String, source: String) -> (Self, Latest) {
        let (to, latest) = watch::channel(None);
        let watcher = Self {
            trading: trading::Memory::new(&run_id),
            run_id,
            source,
            wall: Clock::utc(),
            taken: None,
            chooser: example::Chooser::default(),
            risk: risk::Past::default(),
            gauges: Gauges::default(),
            to,
        };
        (watcher, latest)
    }

    /// The same, sharing those gauges with the agent that samples the rest.
    #[must_use]
    pub fn with(mut self, gauges: Gauges) -> Self {
        self.gauges = gauges;
        self
    }

    /// The journal was made durable.
    pub fn flushed(&self) {
        self.gauges.progress.flushed_now();
    }

    /// Every input, before it is stepped.
    pub fn observe(&mut self, _event: &Event) {}

    /// Every effect, once it is durable.
    pub fn effect(&mut self, _cause: Seq, effect: &Effect) {
        self.risk.effect(effect);
        if let Effect::Publish(message) = effect
            && let Message::Alert(alert) = message.as_ref()
        {
            self.gauges.alerts.raise(Notice::of_engine(alert));
        }
        self.trading.effect(effect);
    }

    /// Takes a picture when one is due.
    pub fn turn(&mut self, scene: Scene<'_>, seq: Seq) {
        self.gauges.progress.turned(seq.0);
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
            trading: self.trading.picture(scene.engine),
            strategies: Strategies::of(&status, scene.loader),
            risk: Risk::of(&status, scene.engine, &self.risk),
            funnel: Funnel::of(scene.engine),
            calibration: Calibration::of(scene.observer),
            example: self.chooser.example(scene.engine, status.now),
            system: System::of(scene.board, &status, self.gauges.latest()),
        };
        self.to.send_replace(Some(Arc::new(snapshot)));
    }
}
