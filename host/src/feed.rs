//! How watchers speak to the engine: stamped, in order, waiting when the engine is behind.

use crate::agent::{AgentContext, AgentError};
use crate::clock::Clock;
use crate::feed_board::Stream;
use crate::input::{Input, InputSender};
use pm_arb_core::event::Event;

/// A watcher's way to the engine.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Supervision.
    pub ctx: AgentContext,
    /// The run's time.
    pub clock: Clock,
    input: InputSender,
    stream: Option<Stream>,
}

impl Feed {
    /// Of one watcher.
    #[must_use]
    pub fn new(ctx: AgentContext, clock: Clock, input: InputSender) -> Self {
        Self {
            ctx,
            clock,
            input,
            stream: None,
        }
    }

    /// The same, with what it hands over noted on that stream.
    #[must_use]
    pub fn over(mut self, stream: Stream) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Hands over what one message said. Nothing is handed over for nothing.
    pub async fn send(&self, events: Vec<Event>) -> Result<(), AgentError> {
        if events.is_empty() {
            return Ok(());
        }
        let received = self.clock.now();
        if let Some(stream) = &self.stream {
            stream.told(&events, received, self.clock.speed());
        }
        let sending = self.input.send(Input::Feed { received, events });
        tokio::select! {
            biased;
            sent = sending => sent.map_err(|_| AgentError::Failed(
                "the engine takes no more inputs".to_owned(),
            )),
            // The engine is not waited for when everything ends.
            () = self.ctx.stopped() => Ok(()),
        }
    }
}
