//! Row `socket`: from a frame on the wire to a decision, beside the bare transport.
//!
//! A WebSocket server and a client on loopback, each with a thread of its own, one frame in flight, a
//! pause of [`PAUSE`] between two. The server notes when it begins to send a recorded-shape
//! `price_change` frame that changes a best size. The client takes every other frame as bytes only;
//! the others it decodes, applies, steps the engine with and has the strategy answer, on the same
//! thread. Alternate frames of one connection share all luck of the scheduler, so their difference is
//! ours. A third kind goes the pilot's way: events through a channel to the engine's thread.

use crate::decode;
use crate::measure::{Goal, Outcome, Row, nanos, quantile};
use crate::native::{self, NAME, OnceASecond};
use crate::{Settings, guest};
use futures::{SinkExt as _, StreamExt as _};
use pm_arb::catalog::Catalog;
use pm_arb::venue::polymarket::Decoder;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{BookSnapshot, Event, Record};
use pm_arb_core::ids::{Seq, StrategyId, Timestamp};
use pm_arb_core::strategy::Strategy;
use pm_arb_core::units::{Price, Qty};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

const PAUSE: Duration = Duration::from_micros(50);
const FRAMES: usize = 30_000;
/// Frames before anything is noted.
const WARM: usize = 1_000;
/// Receive time of the first frame: within the market of the frames.
const OPEN: u64 = 1_776_808_300;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Decoder, engine and strategy.
struct Desk {
    decoder: Decoder,
    catalog: Catalog,
    engine: Engine,
    events: Vec<Event>,
    seq: u64,
}

impl Desk {
    fn new(strategy: Box<dyn Strategy>) -> Outcome<Self> {
        let mut catalog = Catalog::default();
        let spec = catalog.list_market(decode::market())?;
        let mut decoder = Decoder::new();
        decoder.track(&spec, false);
        let mut desk = Self {
            decoder,
            catalog,
            engine: Engine::new(),
            events: Vec::new(),
            seq: 0,
        };
        desk.step(Event::Configured(Box::default()));
        desk.engine.install(StrategyId(0), strategy);
        desk.step(native::loaded(0, native::manifest(NAME), [7; 32]).event);
        let outcomes = spec.outcomes.clone();
        desk.step(Event::MarketListed(Box::new(spec)));
        for (outcome, top) in outcomes.iter().zip([860_000, 130_000]) {
            let levels = |from: i64, by: i64| {
                let price = |n: i64| Price(from + n * by);
                (0..12).map(|n| (price(n), Qty(500_000_000))).collect()
            };
            desk.step(Event::Snapshot(Box::new(BookSnapshot {
                instrument: outcome.instrument,
                more: false,
                venue_time: Timestamp(0),
                bids: levels(top, -10_000),
                asks: levels(top + 10_000, 10_000),
            })));
        }
        Ok(desk)
    }

    fn step(&mut self, event: Event) -> usize {
        self.seq += 1;
        let record = Record {
            seq: Seq(self.seq),
            // 5 ms a record: the strategy buys now and then, and the market stays open to the end.
            at: Timestamp(OPEN * 1_000_000_000 + self.seq * 5_000_000),
            event,
        };
        let mut effects = Vec::new();
        self.engine.step(&record, &mut effects);
        effects.len()
    }

    fn decode(&mut self, text: &str) -> Result<Vec<Event>, Failure> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        self.decoder.frame(text, &self.catalog, &mut events)?;
        Ok(events)
    }

    fn calls(&self) -> u64 {
        self.engine
            .status()
            .strategies
            .iter()
            .map(|s| s.calls)
            .sum()
    }
}

/// Sends frames: one for each word of the client's that it is ready.
fn serve(
    frames: Vec<String>,
    ready: mpsc::Receiver<()>,
    sent: mpsc::Sender<Instant>,
) -> Outcome<(SocketAddr, JoinHandle<Result<(), Failure>>)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let thread = std::thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(async { TcpListener::from_std(listener) })?;
        let (stream, _) = runtime.block_on(listener.accept())?;
        stream.set_nodelay(true)?;
        let mut socket = runtime.block_on(tokio_tungstenite::accept_async(stream))?;
        for frame in frames {
            ready.recv()?;
            std::thread::sleep(PAUSE);
            let message = Message::text(frame);
            sent.send(Instant::now())?;
            runtime.block_on(socket.send(message))?;
        }
        Ok(())
    });
    Ok((address, thread))
}

/// Nanoseconds from sending to being done with: bare frames, and frames that were decided on.
struct Latency {
    bare: Vec<f64>,
    decided: Vec<f64>,
    calls: u64,
}

/// Runs the frames; `hop` sends events to a thread of the engine's own.
fn run(strategy: Box<dyn Strategy>, hop: bool) -> Outcome<Latency> {
    let frames: Vec<String> = (0..FRAMES).map(frame).collect();
    let (ready, wait) = mpsc::channel();
    let (sent, stamps) = mpsc::channel();
    let (address, server) = serve(frames, wait, sent)?;
    let mut desk = Desk::new(strategy)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut socket = runtime.block_on(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/"), stream)
            .await
            .map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(socket)
    })?;
    let mut latency = Latency {
        bare: Vec::new(),
        decided: Vec::new(),
        calls: 0,
    };
    let mut engine = hop.then(|| EngineThread::start(&mut desk));
    for n in 0..FRAMES {
        ready.send(())?;
        let message = runtime
            .block_on(socket.next())
            .ok_or("the server went away")??;
        let decides = n % 2 == 1;
        let done = if decides {
            let mut events = desk.decode(message.to_text()?).map_err(|e| e.to_string())?;
            match &mut engine {
                Some(engine) => engine.decide(events)?,
                None => {
                    for event in events.drain(..) {
                        std::hint::black_box(desk.step(event));
                    }
                    desk.events = events;
                    Instant::now()
                }
            }
        } else {
            std::hint::black_box(message.len());
            Instant::now()
        };
        let took = done.duration_since(stamps.recv()?).as_nanos() as f64;
        if n >= WARM {
            let kind = if decides {
                &mut latency.decided
            } else {
                &mut latency.bare
            };
            kind.push(took);
        }
    }
    latency.calls = match engine {
        Some(engine) => engine.stop()?,
        None => desk.calls(),
    };
    let served = server.join().map_err(|_| "the server panicked")?;
    served.map_err(|error| error.to_string())?;
    Ok(latency)
}

/// An engine on a thread of its own, fed through a channel as the pilot's is.
struct EngineThread {
    queue: tokio::sync::mpsc::Sender<Vec<Event>>,
    done: mpsc::Receiver<Instant>,
    thread: JoinHandle<u64>,
}

impl EngineThread {
    /// Takes the desk's engine.
    fn start(desk: &mut Desk) -> Self {
        let (queue, mut events) = tokio::sync::mpsc::channel::<Vec<Event>>(1_024);
        let (sent, done) = mpsc::channel();
        let mut theirs = Desk {
            decoder: Decoder::new(),
            catalog: Catalog::default(),
            engine: std::mem::take(&mut desk.engine),
            events: Vec::new(),
            seq: desk.seq,
        };
        let thread = std::thread::spawn(move || {
            while let Some(events) = events.blocking_recv() {
                for event in events {
                    std::hint::black_box(theirs.step(event));
                }
                if sent.send(Instant::now()).is_err() {
                    break;
                }
            }
            theirs.calls()
        });
        Self {
            queue,
            done,
            thread,
        }
    }

    fn decide(&mut self, events: Vec<Event>) -> Outcome<Instant> {
        self.queue
            .try_send(events)
            .map_err(|error| error.to_string())?;
        Ok(self.done.recv()?)
    }

    fn stop(self) -> Outcome<u64> {
        drop(self.queue);
        self.thread
            .join()
            .map_err(|_| "the engine's thread panicked".into())
    }
}

/// The `n`-th frame: the best sizes of both outcomes change with each.
fn frame(n: usize) -> String {
    let size = format!("\"{}.17\"", 300 + n % 500);
    let stamp = (OPEN * 1_000 + n as u64).to_string();
    decode::literal()
        .replace("\"362.17\"", &size)
        .replace("1776808414710", &stamp)
}

/// Measures.
pub fn measure(_: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let host = guest::host()?;
    let compiled = host.compile(&guest::bytes()?)?;
    let component =
        || -> Outcome<Box<dyn Strategy>> { Ok(Box::new(host.instantiate(&compiled, &[])?)) };
    let native = || -> Box<dyn Strategy> { Box::new(OnceASecond::default()) };
    let mut rows = Vec::new();
    for (what, strategy, hop) in [
        ("native strategy", native(), false),
        ("component", component()?, false),
        (
            "component, through the channel to the engine's thread",
            component()?,
            true,
        ),
    ] {
        let mut latency = run(strategy, hop)?;
        for (q, name) in [(0.5, "p50"), (0.99, "p99")] {
            let (ours, bare) = (
                quantile(&mut latency.decided, q),
                quantile(&mut latency.bare, q),
            );
            rows.push(Row {
                what: format!(
                    "socket to decision over loopback, {name}, {what}, beside the bare transport"
                ),
                ours: nanos(ours),
                theirs: nanos(bare),
                best: ours / bare,
                median: ours / bare,
                goal: Goal::None,
            });
        }
        notes.push(format!(
            "socket, {what}: {} frames, strategy called {} times",
            FRAMES, latency.calls
        ));
    }
    Ok(rows)
}
