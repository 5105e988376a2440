//! The connected clients of the simulated venues: who listens to what, and what is on its way.
//!
//! Owns: one bounded queue a connection, and the connection's own faults. A client whose queue is
//! full is cut off: a venue does not wait for a slow reader, and neither may the world.
//! Never: waits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use tokio::sync::mpsc;

use super::binance::BinanceSession;
use super::kalshi::KalshiSession;
use super::misbehave::SimVenue;
use super::polymarket::PolymarketSession;
use super::rtds::RtdsSession;

/// Messages waiting for one client; one more and it is dropped.
pub const CLIENT_QUEUE_FRAMES: usize = 8_192;
/// Connections at a time; one more is refused.
pub const CLIENTS_MAX: usize = 256;

/// How faults treat a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameClass {
    /// Answers, heartbeats: never disturbed.
    Control,
    /// Snapshots, trades, life cycle: lost in a freeze, doubled by a duplicate.
    Data,
    /// Changes that build on the one before: all of that, and swapped or garbled as well.
    Delta,
}

/// What a connection's protocol remembers.
#[derive(Debug)]
pub enum Session {
    /// Polymarket's market channel.
    Polymarket(PolymarketSession),
    /// Polymarket's price relay.
    Rtds(RtdsSession),
    /// Binance's streams.
    Binance(BinanceSession),
    /// Kalshi's channels.
    Kalshi(KalshiSession),
}

/// The faults of one connection.
#[derive(Debug, Default)]
pub struct ClientFaults {
    /// No data until then; `None` in `Some` means for good.
    pub frozen: Option<Option<Instant>>,
    /// Pairs of deltas still to swap, and the one held back.
    pub swaps_left: u32,
    held: Option<Utf8Bytes>,
    /// Deltas still to garble.
    pub garbled_left: u32,
    /// Frames still to send twice.
    pub doubled_left: u32,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    /// The service it is connected to.
    pub venue: SimVenue,
    /// Its protocol state.
    pub session: Session,
    /// Its faults.
    pub faults: ClientFaults,
    /// When the server last sent a ping, and when it last heard the answer it insists on.
    pub pinged: Instant,
    /// Last sign of life that counts on this venue.
    pub heard: Instant,
    queue: mpsc::Sender<Message>,
    cut: bool,
}

impl Client {
    /// Queues a text frame, through the connection's faults.
    pub fn text(&mut self, class: FrameClass, text: impl Into<Utf8Bytes>) {
        let mut frame: Utf8Bytes = text.into();
        if class == FrameClass::Control {
            self.push(Message::Text(frame));
            return;
        }
        match self.faults.frozen {
            Some(until) if until.is_none_or(|until| Instant::now() < until) => return,
            _ => self.faults.frozen = None,
        }
        if class == FrameClass::Delta {
            if self.faults.garbled_left > 0 {
                self.faults.garbled_left -= 1;
                frame = garbled(&frame);
            } else if self.faults.swaps_left > 0 {
                let Some(first) = self.faults.held.replace(frame.clone()) else {
                    return;
                };
                self.faults.swaps_left -= 1;
                self.faults.held = None;
                self.push(Message::Text(frame));
                self.push(Message::Text(first));
                return;
            }
        }
        if self.faults.doubled_left > 0 {
            self.faults.doubled_left -= 1;
            self.push(Message::Text(frame.clone()));
        }
        self.push(Message::Text(frame));
    }

    /// Queues a protocol ping.
    pub fn ping(&mut self, body: &'static [u8]) {
        self.pinged = Instant::now();
        self.push(Message::Ping(body.into()));
    }

    /// Says why, then cuts the connection.
    pub fn close(&mut self, code: u16, reason: &'static str) {
        self.push(Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        })));
        self.cut = true;
    }

    /// Cuts the connection without a word.
    pub fn cut(&mut self) {
        self.cut = true;
    }

    /// How long since the last sign of life that counts.
    pub fn silent_for(&self) -> Duration {
        self.heard.elapsed()
    }

    fn push(&mut self, message: Message) {
        if !self.cut && self.queue.try_send(message).is_err() {
            self.cut = true;
        }
    }
}

/// The first part of a frame: never valid JSON.
fn garbled(frame: &Utf8Bytes) -> Utf8Bytes {
    let text = frame.as_str();
    let end = (0..=text.len() * 3 / 5)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned().into()
}

/// Every connection.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: BTreeMap<u64, Client>,
    next_id: u64,
    /// Connections cut since the start, for whatever reason.
    pub cut_total: u64,
}

impl Clients {
    /// Takes a connection in; `None` when there are too many.
    pub fn join(
        &mut self,
        venue: SimVenue,
        session: Session,
    ) -> Option<(u64, mpsc::Receiver<Message>)> {
        if self.by_id.len() >= CLIENTS_MAX {
            return None;
        }
        let (queue, frames) = mpsc::channel(CLIENT_QUEUE_FRAMES);
        let (id, now) = (self.next_id, Instant::now());
        self.next_id += 1;
        let faults = ClientFaults::default();
        self.by_id.insert(
            id,
            Client {
                venue,
                session,
                faults,
                pinged: now,
                heard: now,
                queue,
                cut: false,
            },
        );
        Some((id, frames))
    }

    /// Forgets a connection that ended.
    pub fn leave(&mut self, id: u64) {
        self.by_id.remove(&id);
    }

    /// Lets go of the connections that were cut: their tasks end once the queue has drained.
    pub fn sweep(&mut self) {
        let before = self.by_id.len();
        self.by_id.retain(|_, client| !client.cut);
        self.cut_total += (before - self.by_id.len()) as u64;
    }

    /// One connection.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Client> {
        self.by_id.get_mut(&id)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.by_id.values_mut()
    }

    /// How many are connected to a service.
    pub fn count(&self, venue: SimVenue) -> usize {
        self.by_id
            .values()
            .filter(|client| client.venue == venue)
            .count()
    }
}
