//! One price stream, followed for ever: connect, read, notice silence, replace, say when it gapped.
//!
//! Shared by all oracle watchers. Owns the connection; what a message means is the decoder's business.

use super::binance::FrameError;
use crate::agent::AgentError;
use crate::backoff::Backoff;
use crate::causes::chain;
use crate::feed::Feed;
use crate::feed_board::Stream;
use crate::net::socket::{Socket, SocketError};
use pm_arb_core::event::Event;
use pm_arb_core::ids::OracleId;
use pm_arb_core::reason::Reason;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Largest message of a price stream.
const MESSAGE_MAX: usize = 1 << 20;
/// How often silence and age are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a stream is to be treated.
#[derive(Debug)]
pub(super) struct Plan {
    /// For the log.
    pub name: &'static str,
    /// What it carries, for people.
    pub carries: String,
    /// Where it is.
    pub url: String,
    /// Sent once connected.
    pub hello: Option<String>,
    /// Text heartbeats, where the server wants them.
    pub ping: Option<(Duration, &'static str)>,
    /// Silent for so long, the last value is declared stale.
    pub gap_after: Duration,
    /// Silent for so long, the connection is replaced.
    pub replace_after: Duration,
    /// A connection this old is replaced before the server does it; the new one stands first.
    pub age_max: Duration,
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A value, or a proof that the last one still stands.
    Data,
    /// Anything else.
    Nothing,
    /// The server is going down.
    Goodbye,
}

/// Why a connection ended.
enum End {
    Stopping,
    Replace(String),
}

/// Follows the stream until told to stop.
pub(super) async fn follow(
    feed: &Feed,
    plan: &Plan,
    oracles: &[OracleId],
    mut decode: impl FnMut(&str, &mut Vec<Event>) -> Result<Heard, FrameError>,
) -> Result<(), AgentError> {
    let stream = feed.ctx.feeds().stream(plan.name, plan.gap_after);
    stream.carries(plan.carries.as_str(), oracles.is_empty());
    let feed = &feed.clone().over(stream.clone());
    let mut backoff = Backoff::of_connections();
    while !feed.ctx.is_stopping() {
        let connected = Instant::now();
        let cause = match session(feed, &stream, plan, oracles, &mut decode).await? {
            End::Stopping => return Ok(()),
            End::Replace(cause) => cause,
        };
        stream.down(&cause);
        feed.send(gaps(oracles)).await?;
        let wait = backoff.after(connected.elapsed());
        tracing::warn!(stream = plan.name, %cause, ?wait, "price stream interrupted");
        tokio::select! {
            biased;
            () = feed.ctx.stopped() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

async fn connect(plan: &Plan) -> Result<Socket, SocketError> {
    let mut socket = Socket::connect(&plan.url, &[], MESSAGE_MAX).await?;
    if let Some(hello) = &plan.hello {
        socket.send(hello.as_str()).await?;
    }
    Ok(socket)
}

async fn session(
    feed: &Feed,
    stream: &Stream,
    plan: &Plan,
    oracles: &[OracleId],
    decode: &mut impl FnMut(&str, &mut Vec<Event>) -> Result<Heard, FrameError>,
) -> Result<End, AgentError> {
    let mut socket = match connect(plan).await {
        Ok(socket) => socket,
        Err(error) => return Ok(End::Replace(chain(&error))),
    };
    stream.connected();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut heard, mut pinged, mut is_stale) = (Instant::now(), Instant::now(), false);
    loop {
        let message = tokio::select! {
            biased;
            () = feed.ctx.stopped() => {
                socket.close().await;
                return Ok(End::Stopping);
            }
            _ = look.tick() => None,
            message = socket.next() => Some(message),
        };
        match message {
            Some(Ok(Some(text))) => {
                stream.message(text.len());
                let mut events = Vec::new();
                match decode(&text, &mut events) {
                    Ok(Heard::Data) => {
                        (heard, is_stale) = (Instant::now(), false);
                        stream.proof();
                    }
                    Ok(Heard::Nothing) => {}
                    Ok(Heard::Goodbye) => return Ok(End::Replace("server shutdown".to_owned())),
                    Err(error) => {
                        tracing::warn!(stream = plan.name, error = %chain(&error), "refused");
                        events.push(Event::Refused {
                            venue: None,
                            reason: Reason::MalformedFrame,
                        });
                    }
                }
                let is_tick = events.iter().any(|e| matches!(e, Event::OracleTick(_)));
                feed.send(events).await?;
                feed.ctx.beat();
                if is_tick && !feed.ctx.is_ready() {
                    feed.ctx.ready();
                }
            }
            Some(Ok(None)) => {}
            Some(Err(error)) => return Ok(End::Replace(chain(&error))),
            None => {
                if heard.elapsed() >= plan.replace_after {
                    return Ok(End::Replace(format!("no data for {:?}", heard.elapsed())));
                }
                if heard.elapsed() >= plan.gap_after && !is_stale {
                    is_stale = true;
                    feed.send(gaps(oracles)).await?;
                }
                if let Some((every, ping)) = plan.ping
                    && pinged.elapsed() >= every
                {
                    pinged = Instant::now();
                    if let Err(error) = socket.send(ping).await {
                        return Ok(End::Replace(chain(&error)));
                    }
                }
                if socket.age() >= plan.age_max
                    && let Ok(fresh) = connect(plan).await
                {
                    std::mem::replace(&mut socket, fresh).close().await;
                    stream.connected();
                }
            }
        }
    }
}

fn gaps(oracles: &[OracleId]) -> Vec<Event> {
    oracles.iter().map(|id| Event::OracleGap(*id)).collect()
}
