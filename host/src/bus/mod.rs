//! Tells the world through Redis, and hears commands there.
//!
//! Owns the connection to Redis and its recovery. Nothing waits for it: the engine's thread puts
//! messages into a bounded queue and goes on; without Redis the pilot trades as before. No decision
//! travels by Redis: what is published has already happened, and a subscriber that must not miss
//! anything reads the database.
//!
//! Delivery: in order, each message at least once while Redis is up; a message under way when the
//! connection breaks may be published twice. Dropped messages are counted.

mod command;
mod message;
mod queue;

pub use command::{COMMAND_BYTES_MAX, COMMAND_TEXT_MAX, CommandError, parse as parse_command};
pub use message::{ALERTS, BusMessage, COMMANDS, OracleMessage, QuoteMessage};
pub use queue::{BUS_QUEUE, PRICE_INTERVAL, PRICE_KEYS_MAX};

use crate::agent::{AgentContext, AgentError};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::input::{Input, InputSender};
use futures_util::StreamExt;
use pm_arb_core::effect::{Alert, AlertLevel, Message};
use queue::Queue;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Client, RedisError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

/// Messages of one pipeline.
pub const PUBLISH_MAX: usize = 256;
/// How long Redis may take to connect or to answer (the library's own default is half a second).
const PATIENCE: Duration = Duration::from_secs(5);
/// The subscription is proven alive this often: a silent connection looks like one without commands.
const PING_EVERY: Duration = Duration::from_secs(10);
/// First and largest wait between two connections.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// At most one alert about refused commands in this time; all are counted.
const REFUSAL_ALERT_EVERY: Duration = Duration::from_secs(1);

/// What a person can know about the bus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusStatus {
    /// Whether Redis is there.
    pub connected: bool,
    /// Messages published.
    pub published: u64,
    /// Messages given up because the queue was full.
    pub dropped: u64,
    /// Messages that wait.
    pub waiting: usize,
    /// Commands handed to the engine.
    pub commands: u64,
    /// Messages on the command channel that were no commands.
    pub refused: u64,
    /// The last failure, in words; kept after recovery.
    pub last_error: Option<String>,
}

/// The engine's end.
#[derive(Debug, Clone)]
pub struct BusHandle {
    queue: Arc<Queue>,
    status: Arc<watch::Sender<BusStatus>>,
}

impl BusHandle {
    /// Queues a message; never waits.
    pub fn publish(&self, message: BusMessage) {
        self.queue.push(message);
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> BusStatus {
        let (waiting, dropped) = self.queue.counts();
        BusStatus {
            waiting,
            dropped,
            ..self.status.borrow().clone()
        }
    }
}

/// Redis's end: an agent that may be started again.
#[derive(Clone)]
pub struct Bus {
    url: String,
    run_id: Uuid,
    input: InputSender,
    queue: Arc<Queue>,
    status: Arc<watch::Sender<BusStatus>>,
}

/// A bus for one run, at `redis://…`. Commands go to `input`.
#[must_use]
pub fn bus(url: String, run_id: Uuid, input: InputSender) -> (BusHandle, Bus) {
    let queue = Arc::new(Queue::default());
    let status = Arc::new(watch::Sender::new(BusStatus::default()));
    let handle = BusHandle {
        queue: Arc::clone(&queue),
        status: Arc::clone(&status),
    };
    let bus = Bus {
        url,
        run_id,
        input,
        queue,
        status,
    };
    (handle, bus)
}

/// Why one connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis gave no answer within {PATIENCE:?}")]
    Silent,
    #[error("Redis ended the subscription")]
    Ended,
}

impl Bus {
    /// Runs until told to stop. Redis being away is no failure of the agent: it tries again for ever.
    pub async fn run(&self, ctx: AgentContext) -> Result<(), AgentError> {
        let client = Client::open(self.url.as_str()).map_err(|e| {
            AgentError::Fatal(format!("the Redis URL is not usable: {}", e.category()))
        })?;
        ctx.ready();
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            ctx.beat();
            let ended = tokio::select! {
                biased;
                () = ctx.stopped() => {
                    self.say_goodbye(&client).await;
                    return Ok(());
                }
                ended = self.link(&client, &ctx, &mut backoff) => ended,
            };
            let Err(error) = ended else { continue };
            let was_connected = self.status.borrow().connected;
            self.status.send_modify(|s| {
                s.connected = false;
                s.last_error = Some(error.to_string());
            });
            if was_connected {
                tracing::warn!(%error, "Redis is away; trading goes on, messages wait or are dropped");
            }
            let wait = backoff.next_wait();
            tokio::select! {
                biased;
                () = ctx.stopped() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One connection for publishing and one for hearing, for as long as both live.
    async fn link(
        &self,
        client: &Client,
        ctx: &AgentContext,
        backoff: &mut Backoff,
    ) -> Result<(), LinkError> {
        let mut publisher = connect(client).await?;
        let pubsub = patiently(client.get_async_pubsub()).await?;
        let (mut sink, mut commands) = pubsub.split();
        patiently(sink.subscribe(COMMANDS)).await?;
        backoff.reset();
        self.status.send_modify(|s| s.connected = true);
        tracing::info!("publishing to Redis, listening on {COMMANDS}");
        tokio::select! {
            ended = self.publish(&mut publisher, ctx) => ended,
            ended = self.listen(&mut commands) => ended,
            ended = prove(&mut sink) => ended,
        }
    }

    async fn publish(
        &self,
        publisher: &mut MultiplexedConnection,
        ctx: &AgentContext,
    ) -> Result<(), LinkError> {
        loop {
            ctx.beat();
            let taken = self.queue.take(PUBLISH_MAX, Instant::now());
            if taken.is_empty() {
                // Woken by a message, or to look for prices that have become due.
                let _ = timeout(PRICE_INTERVAL, self.queue.arrived.notified()).await;
                continue;
            }
            // If this future is abandoned while Redis answers, the guard puts the messages back.
            let mut unsent = Unsent {
                queue: &self.queue,
                messages: taken,
            };
            self.send(publisher, &unsent.messages).await?;
            unsent.messages.clear();
        }
    }

    async fn send(
        &self,
        publisher: &mut MultiplexedConnection,
        messages: &[BusMessage],
    ) -> Result<(), LinkError> {
        let mut pipeline = redis::pipe();
        for message in messages {
            let body = message.json(self.run_id).to_string();
            pipeline.publish(message.channel(), body).ignore();
        }
        patiently(pipeline.query_async::<()>(publisher)).await?;
        let count = messages.len() as u64;
        self.status.send_modify(|s| s.published += count);
        Ok(())
    }

    async fn listen(&self, commands: &mut PubSubStream) -> Result<(), LinkError> {
        let mut last_alert: Option<Instant> = None;
        while let Some(heard) = commands.next().await {
            match command::parse(heard.get_payload_bytes()) {
                Ok(command) => {
                    tracing::warn!(?command, "command from the bus");
                    self.status.send_modify(|s| s.commands += 1);
                    // The engine is gone only when the program ends.
                    let _ = self.input.send(Input::Command(command)).await;
                }
                Err(why) => {
                    self.status.send_modify(|s| s.refused += 1);
                    tracing::warn!(%why, "a message on {COMMANDS} was ignored");
                    if last_alert.is_none_or(|at| at.elapsed() >= REFUSAL_ALERT_EVERY) {
                        last_alert = Some(Instant::now());
                        self.queue.push(refusal(&why));
                    }
                }
            }
        }
        Err(LinkError::Ended)
    }

    /// Publishes what is still queued, once, if Redis is there.
    async fn say_goodbye(&self, client: &Client) {
        let rest = self.queue.take(BUS_QUEUE, Instant::now());
        if rest.is_empty() || !self.status.borrow().connected {
            return;
        }
        let sent = async {
            let mut publisher = connect(client).await?;
            self.send(&mut publisher, &rest).await
        };
        if let Err(error) = sent.await {
            tracing::warn!(%error, messages = rest.len(), "the last messages were not published");
        }
    }
}

/// Messages on their way; put back unless they were cleared.
struct Unsent<'a> {
    queue: &'a Queue,
    messages: Vec<BusMessage>,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            self.queue.put_back(std::mem::take(&mut self.messages));
        }
    }
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, LinkError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    patiently(client.get_multiplexed_async_connection_with_config(&config)).await
}

/// Pings the subscription's connection for ever.
async fn prove(sink: &mut PubSubSink) -> Result<(), LinkError> {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        patiently(sink.ping::<redis::Value>()).await?;
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T, RedisError>>) -> Result<T, LinkError> {
    match timeout(PATIENCE, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(LinkError::Silent),
    }
}

fn refusal(why: &CommandError) -> BusMessage {
    BusMessage::Effect(Box::new(Message::Alert(Alert {
        level: AlertLevel::Warning,
        code: "COMMAND_REFUSED".to_owned(),
        text: format!("a message on {COMMANDS} was ignored: it {why}"),
        at: Clock::utc().now(),
    })))
}
