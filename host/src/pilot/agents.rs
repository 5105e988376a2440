//! The agents of a pilot that bring no market data: database, bus, control socket, strategy files.

use super::Options;
use super::operator::Operator;
use crate::alerts::notifier::Notifier;
use crate::bus;
use crate::control;
use crate::input::InputSender;
use crate::journal::archive;
use crate::orchestrator::{AgentFuture, AgentSpec, Criticality, HealthBoard, Orchestrator};
use crate::plugin::{Keep, Preparer, Settings, Sources, Tracker, watch};
use crate::shadow::{self, Keeper};
use crate::snapshot::Latest;
use crate::store;
use crate::vitals::Sampler;
use crate::web::app::App;
use crate::web::{Door, server};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub fn relay_spec(relay: store::Relay) -> AgentSpec {
    AgentSpec {
        name: "trade-store".into(),
        criticality: Criticality::Vital,
        start: Arc::new(move |context| -> AgentFuture {
            let relay = relay.clone();
            Box::pin(async move { relay.run(context).await })
        }),
        on_down: Arc::new(|| {}),
    }
}

pub async fn start_bus(
    options: &Options,
    run_id: uuid::Uuid,
    agents: &mut Orchestrator,
    input: &InputSender,
) -> Option<bus::BusHandle> {
    let url = options.redis_url.clone()?;
    let (handle, bus) = bus::bus(url, run_id, input.clone());
    let spec = AgentSpec {
        name: "bus".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture {
            let bus = bus.clone();
            Box::pin(async move { bus.run(context).await })
        }),
        on_down: Arc::new(|| {}),
    };
    // Nothing waits for it, not even the start.
    agents.start(spec, Duration::ZERO).await;
    Some(handle)
}

pub fn control_spec(
    data_dir: &Path,
    board: &HealthBoard,
    operator: &Operator,
    latest: &Latest,
) -> AgentSpec {
    let (path, board) = (control::socket_path(data_dir), board.clone());
    let (operator, latest) = (operator.clone(), latest.clone());
    AgentSpec {
        name: "control".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture {
            Box::pin(control::serve(
                context,
                path.clone(),
                board.clone(),
                operator.clone(),
                latest.clone(),
            ))
        }),
        on_down: Arc::new(|| {}),
    }
}

/// The dashboard, behind a door that is open already: trading does not wait for it, nor end with it.
pub fn dashboard_spec(door: Door, options: &Options, latest: &Latest) -> AgentSpec {
    let door = Arc::new(door);
    let (latest, rules) = (latest.clone(), options.rules.clone());
    let (url, data_dir) = (options.database_url.clone(), options.data_dir.clone());
    let make: server::MakeApp =
        Arc::new(move |live| App::new(latest.clone(), &url, rules.clone(), data_dir.clone(), live));
    AgentSpec {
        name: "dashboard".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture {
            Box::pin(server::run(context, door.clone(), make.clone()))
        }),
        on_down: Arc::new(|| {}),
    }
}

/// Archives prepared strategies in the run, so that a swap need not.
pub fn keep_in(run: PathBuf) -> Keep {
    Arc::new(move |bytes| {
        if let Err(error) = archive::save_strategy(&run, bytes) {
            tracing::warn!(%error, "a strategy is not archived yet; its load tries again");
        }
    })
}

/// `seen`: what looked at the files when the pilot started.
pub fn watcher_spec(
    seen: Tracker,
    sources: Sources,
    preparer: Preparer,
    settings: Option<Settings>,
    input: &InputSender,
) -> AgentSpec {
    let input = input.clone();
    let seen = Mutex::new(Some(seen));
    AgentSpec {
        name: "strategy-watcher".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture {
            // After a failure a fresh one, which tells of every file again: what runs already, or an
            // operator chose other bytes for, is recognised as such.
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
            let fresh = || Tracker::new(sources.clone(), preparer.clone());
            let tracker = seen.unwrap_or_else(fresh).following(settings.clone());
            Box::pin(watch::run(context, tracker, input.clone()))
        }),
        on_down: Arc::new(|| {}),
    }
}

pub fn vitals_spec(sampler: Sampler) -> AgentSpec {
    AgentSpec {
        name: "vitals".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture { Box::pin(sampler.clone().run(context)) }),
        on_down: Arc::new(|| {}),
    }
}

/// Trading neither waits for shadows nor ends with them.
pub fn shadow_spec(keeper: Keeper) -> AgentSpec {
    AgentSpec {
        name: "shadow-keeper".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture {
            Box::pin(shadow::run(context, keeper.clone()))
        }),
        on_down: Arc::new(|| {}),
    }
}

pub fn notifier_spec(notifier: Notifier) -> AgentSpec {
    AgentSpec {
        name: "notifier".into(),
        criticality: Criticality::Feed,
        start: Arc::new(move |context| -> AgentFuture { Box::pin(notifier.clone().run(context)) }),
        on_down: Arc::new(|| {}),
    }
}
