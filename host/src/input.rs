//! What reaches the engine's thread: one bounded channel, one order.
//!
//! Watchers, oracles, operators and the strategy loader send here; the runner stamps, journals and
//! steps. Nothing else feeds the engine.

use crate::plugin::{Contender, Done, Incumbent, Order, OrderError, Recipe};
use pm_arb_core::event::{Command, Event};
use pm_arb_core::ids::{Seq, Timestamp};
use tokio::sync::{mpsc, oneshot};

/// Messages waiting for the engine. When it is full, senders wait: sockets then push back on the venue.
pub const INPUT_QUEUE: usize = 8_192;

/// One message for the engine.
pub enum Input {
    /// What one frame of a venue or oracle said, in order.
    Feed {
        /// When the frame was read, by the run's clock.
        received: Timestamp,
        /// The facts in it.
        events: Vec<Event>,
    },
    /// An operator spoke through the bus; nobody waits.
    Command(Command),
    /// An operator spoke and waits until it is in the journal.
    Operator {
        /// What was said.
        command: Command,
        /// Told its number.
        done: oneshot::Sender<Seq>,
    },
    /// Somebody asks why something is not traded: answered between two records, from what is known then.
    Why {
        /// A market or an opportunity, as far as it was named.
        about: String,
        /// Told what is known.
        answer: oneshot::Sender<crate::why::live::Live>,
    },
    /// Something for the strategies' loader, which runs on the engine's thread between two events.
    Strategies(crate::plugin::LoaderInput),
    /// What the bytes of a swap, or with `back` of a rollback, are to be made ready with.
    Recipe {
        /// Of which strategy.
        name: String,
        /// For a rollback.
        back: bool,
        /// Told it.
        answer: oneshot::Sender<Result<Recipe, OrderError>>,
    },
    /// What runs under a name, for what is to take its place.
    Incumbent {
        /// Of which strategy.
        name: String,
        /// What is to take it; none to only look.
        contender: Option<Contender>,
        /// Told it, if it runs.
        answer: oneshot::Sender<Option<Box<Incumbent>>>,
    },
    /// An operator's word about a strategy; they wait until it is done and durable.
    Order {
        /// What was said.
        order: Order,
        /// Told what came of it.
        done: oneshot::Sender<Result<Done, OrderError>>,
    },
    /// Finish what is there and stop.
    Stop,
}

/// Where inputs are sent.
pub type InputSender = mpsc::Sender<Input>;
/// Where the runner takes them.
pub type InputReceiver = mpsc::Receiver<Input>;

/// The channel.
#[must_use]
pub fn channel() -> (InputSender, InputReceiver) {
    mpsc::channel(INPUT_QUEUE)
}
