//! What is known of every stream of market data: for people, never for decisions.
//!
//! Watchers note what happens on their connections; each stream has a small lock of its own that only its
//! watcher and whoever looks take, for as long as an addition takes. The engine neither reads nor writes
//! it: what may back a trade follows from the ages in the engine's own state. A stream is live when data
//! comes, not when a socket is open.

use pm_arb_core::event::Event;
use pm_arb_core::ids::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use utoipa::ToSchema;

/// Streams known at a time; one more is not shown (its data is used all the same).
pub const STREAMS_MAX: usize = 64;
/// The newest lags that median and p99 are taken of.
pub const LAGS: usize = 512;
/// Longest kept error, in characters.
const ERROR_MAX: usize = 300;

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Nothing is to be followed on it now.
    Idle,
    /// A connection is being made, or no data has come over it yet.
    Connecting,
    /// Data comes.
    Live,
    /// Connected, but no data for longer than it may be silent.
    Stale,
    /// Not connected; tried again.
    Down,
    /// It came to its end (a recording).
    Ended,
}

impl FeedState {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Down => "down",
            Self::Ended => "ended",
        }
    }

    /// Whether data is missing that should be there.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Connecting | Self::Stale | Self::Down)
    }
}

/// One stream, as reported. Ages and lags are of the wall, also where the run's clock is faster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeedRow {
    /// Its name: `polymarket-0`, `binance`.
    pub name: String,
    /// Where it is.
    pub state: FeedState,
    /// Seconds since it is there.
    pub for_secs: f64,
    /// What it carries: symbols, or a number of assets.
    pub carries: String,
    /// Seconds since the last message of any kind; `None` before the first.
    pub message_age_secs: Option<f64>,
    /// Seconds since the last market data; `None` before the first.
    pub data_age_secs: Option<f64>,
    /// Without data for so many seconds it counts as stale.
    pub stale_after_secs: f64,
    /// Messages since the start.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Interruptions of what it told, each of which made something untrusted until the next word.
    pub gaps: u64,
    /// Messages that could not be used.
    pub refused: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Seconds in which data was missing since the start, up to now.
    pub bad_secs: f64,
    /// Median of the last lags, from the source's stamp to our receipt, in milliseconds.
    pub lag_median_ms: Option<f64>,
    /// Of 100 of them, 99 were shorter.
    pub lag_p99_ms: Option<f64>,
    /// Why it was interrupted last; kept after recovery.
    pub last_error: Option<String>,
}

#[derive(Debug)]
struct Inner {
    connected: Option<Instant>,
    idle: bool,
    ended: bool,
    carries: String,
    stale_after: Duration,
    last_message: Option<Instant>,
    last_data: Option<Instant>,
    /// Data since the connection was made.
    has_data: bool,
    messages: u64,
    bytes: u64,
    gaps: u64,
    refused: u64,
    connections: u64,
    error: Option<String>,
    /// In microseconds of the wall; a ring once it is full.
    lags: Vec<i64>,
    next_lag: usize,
    shown: FeedState,
    since: Instant,
    bad_before: Duration,
}

impl Inner {
    fn state(&self, now: Instant) -> FeedState {
        if self.ended {
            return FeedState::Ended;
        }
        if self.idle {
            return FeedState::Idle;
        }
        let Some(connected) = self.connected else {
            return match self.error {
                Some(_) => FeedState::Down,
                None => FeedState::Connecting,
            };
        };
        let silent = |at: Instant| now.saturating_duration_since(at) > self.stale_after;
        match self.last_data {
            Some(at) if self.has_data && !silent(at) => FeedState::Live,
            Some(_) if self.has_data => FeedState::Stale,
            _ if silent(connected) => FeedState::Stale,
            _ => FeedState::Connecting,
        }
    }

    /// Brings the shown state up to date.
    fn settle(&mut self, now: Instant) {
        let state = self.state(now);
        if state == self.shown {
            return;
        }
        // Silence began with the last data, not when somebody looked.
        let began = match (state, self.last_data) {
            (FeedState::Stale, Some(at)) if self.has_data => (at + self.stale_after).min(now),
            _ => now,
        };
        if self.shown.is_bad() {
            self.bad_before += began.saturating_duration_since(self.since);
        }
        (self.shown, self.since) = (state, began);
    }

    fn bad(&self, now: Instant) -> Duration {
        let running = match self.shown.is_bad() {
            true => now.saturating_duration_since(self.since),
            false => Duration::ZERO,
        };
        self.bad_before + running
    }
}

/// A watcher's hand on one stream.
#[derive(Debug, Clone)]
pub struct Stream(Arc<Mutex<Inner>>);

impl Stream {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner, Instant)) {
        let now = Instant::now();
        let mut inner = self.lock();
        // What it was until now must not be lost to what it becomes.
        inner.settle(now);
        change(&mut inner, now);
        inner.settle(now);
    }

    /// What it carries now; nothing makes it idle.
    pub fn carries(&self, what: impl Into<String>, is_nothing: bool) {
        let what = what.into();
        self.change(|inner, _| (inner.carries, inner.idle) = (what, is_nothing));
    }

    /// Without data for so long, by the wall, it counts as stale.
    pub fn stale_after(&self, span: Duration) {
        self.change(|inner, _| inner.stale_after = span);
    }

    /// A connection stands.
    pub fn connected(&self) {
        self.change(|inner, now| {
            (inner.connected, inner.has_data) = (Some(now), false);
            inner.connections += 1;
        });
    }

    /// The connection is gone, or did not come about.
    pub fn down(&self, why: &str) {
        self.change(|inner, _| {
            (inner.connected, inner.has_data) = (None, false);
            inner.error = Some(why.chars().take(ERROR_MAX).collect());
        });
    }

    /// It is over, as recordings are.
    pub fn ended(&self) {
        self.change(|inner, _| inner.ended = true);
    }

    /// A message came.
    pub fn message(&self, bytes: usize) {
        let mut inner = self.lock();
        inner.messages += 1;
        inner.bytes = inner.bytes.saturating_add(bytes as u64);
        inner.last_message = Some(Instant::now());
    }

    /// A sign of life that proves the last data still true.
    pub fn proof(&self) {
        self.change(|inner, now| (inner.last_data, inner.has_data) = (Some(now), true));
    }

    /// What one message said, received at that time of a run that lives `speed` seconds a second.
    pub fn told(&self, events: &[Event], received: Timestamp, speed: f64) {
        let (mut gaps, mut refused, mut is_data, mut newest) = (0, 0, false, None);
        for event in events {
            match event {
                Event::Gap { .. } | Event::OracleGap(_) => gaps += 1,
                Event::Refused { .. } => refused += 1,
                _ => {}
            }
            if let Some(at) = stamp(event) {
                is_data = true;
                newest = newest.max(Some(at));
            }
        }
        if gaps + refused == 0 && !is_data {
            return;
        }
        self.change(|inner, now| {
            inner.gaps += gaps;
            inner.refused += refused;
            if is_data {
                (inner.last_data, inner.has_data) = (Some(now), true);
            }
            if let Some(at) = newest.filter(|at| at.0 > 0) {
                let lag = lag_us(at, received, speed);
                if inner.lags.len() < LAGS {
                    inner.lags.push(lag);
                } else if let Some(slot) = inner.lags.get_mut(inner.next_lag % LAGS) {
                    *slot = lag;
                }
                inner.next_lag = (inner.next_lag + 1) % LAGS;
            }
        });
    }

    fn row(&self, name: &str) -> FeedRow {
        let now = Instant::now();
        let (mut row, mut lags) = {
            let mut inner = self.lock();
            inner.settle(now);
            let age = |at: Option<Instant>| at.map(|at| now.duration_since(at).as_secs_f64());
            let row = FeedRow {
                name: name.to_owned(),
                state: inner.shown,
                for_secs: now.saturating_duration_since(inner.since).as_secs_f64(),
                carries: inner.carries.clone(),
                message_age_secs: age(inner.last_message),
                data_age_secs: age(inner.last_data),
                stale_after_secs: inner.stale_after.as_secs_f64(),
                messages: inner.messages,
                bytes: inner.bytes,
                gaps: inner.gaps,
                refused: inner.refused,
                reconnects: inner.connections.saturating_sub(1),
                bad_secs: inner.bad(now).as_secs_f64(),
                lag_median_ms: None,
                lag_p99_ms: None,
                last_error: inner.error.clone(),
            };
            (row, inner.lags.clone())
        };
        // Sorted outside of the lock: a watcher may be about to take it.
        lags.sort_unstable();
        let at = |of_100: usize| {
            let rank = (lags.len() * of_100).div_ceil(100).saturating_sub(1);
            lags.get(rank).map(|us| *us as f64 / 1_000.0)
        };
        (row.lag_median_ms, row.lag_p99_ms) = (at(50), at(99));
        row
    }
}

/// When the source says that it happened; `None` for what is no market data.
fn stamp(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Level(level) => Some(level.venue_time),
        Event::Print(print) => Some(print.venue_time),
        Event::OracleTick(tick) => Some(tick.source_time),
        // A first book carries the time of its last change, which may be long ago: no lag.
        Event::Snapshot(_) | Event::Candle(_) => Some(Timestamp(0)),
        _ => None,
    }
}

/// Microseconds of the wall between two instants of a run; negative when the source's clock is ahead.
fn lag_us(at: Timestamp, received: Timestamp, speed: f64) -> i64 {
    let ns = i128::from(received.0) - i128::from(at.0);
    (ns as f64 / speed.max(0.001) / 1_000.0) as i64
}

/// Our clock against another's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SkewRow {
    /// Whose.
    pub source: String,
    /// Ours minus theirs, in milliseconds.
    pub skew_ms: f64,
    /// Give or take so much: HTTP tells whole seconds.
    pub within_ms: f64,
    /// Seconds since it was compared.
    pub age_secs: f64,
}

#[derive(Debug, Default)]
struct Board {
    streams: BTreeMap<String, Stream>,
    /// By source: ours minus theirs and how sure, in milliseconds, and when.
    skews: BTreeMap<String, (f64, f64, Instant)>,
}

/// Every stream: shared, cheap to ask.
#[derive(Debug, Clone, Default)]
pub struct FeedBoard(Arc<Mutex<Board>>);

impl FeedBoard {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A source answered with that date (as HTTP writes it) to what was asked then.
    pub fn dated(&self, source: &str, date: &str, asked: SystemTime) {
        let Ok(theirs) = jiff::fmt::rfc2822::parse(date) else {
            return;
        };
        let ms = |at: SystemTime| {
            let since = at
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            since.as_secs_f64() * 1_000.0
        };
        let (sent, answered) = (ms(asked), ms(SystemTime::now()));
        // The date was cut to a second, somewhere between asking and hearing.
        let skew = (sent + answered) / 2.0 - (theirs.timestamp().as_millisecond() as f64 + 500.0);
        let within = 500.0 + (answered - sent).max(0.0) / 2.0;
        let mut board = self.lock();
        if board.skews.len() < STREAMS_MAX || board.skews.contains_key(source) {
            board
                .skews
                .insert(source.to_owned(), (skew, within, Instant::now()));
        }
    }

    /// Our clock against those of others.
    #[must_use]
    pub fn skews(&self) -> Vec<SkewRow> {
        let board = self.lock();
        let rows = board
            .skews
            .iter()
            .map(|(source, (skew, within, at))| SkewRow {
                source: source.clone(),
                skew_ms: *skew,
                within_ms: *within,
                age_secs: at.elapsed().as_secs_f64(),
            });
        rows.collect()
    }

    /// The stream of that name; one that was there before (its watcher was started again) keeps its counts.
    /// Beyond [`STREAMS_MAX`] it is not shown.
    #[must_use]
    pub fn stream(&self, name: &str, stale_after: Duration) -> Stream {
        let streams = &mut self.lock().streams;
        let stream = streams.get(name).cloned().unwrap_or_else(|| {
            Stream(Arc::new(Mutex::new(Inner {
                connected: None,
                idle: false,
                ended: false,
                carries: String::new(),
                stale_after,
                last_message: None,
                last_data: None,
                has_data: false,
                messages: 0,
                bytes: 0,
                gaps: 0,
                refused: 0,
                connections: 0,
                error: None,
                lags: Vec::new(),
                next_lag: 0,
                shown: FeedState::Connecting,
                since: Instant::now(),
                bad_before: Duration::ZERO,
            })))
        });
        if streams.len() < STREAMS_MAX {
            streams.insert(name.to_owned(), stream.clone());
        }
        stream
    }

    /// All of them, by name.
    #[must_use]
    pub fn report(&self) -> Vec<FeedRow> {
        let streams: Vec<(String, Stream)> = self
            .lock()
            .streams
            .iter()
            .map(|(name, stream)| (name.clone(), stream.clone()))
            .collect();
        streams.iter().map(|(name, s)| s.row(name)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use pm_arb_core::event::OracleTick;
    use pm_arb_core::ids::OracleId;
    use pm_arb_core::units::SpotPrice;

    fn tick(ms: u64) -> Event {
        Event::OracleTick(OracleTick {
            oracle: OracleId(0),
            price: SpotPrice(1),
            source_time: Timestamp::from_ms(ms),
        })
    }

    fn board() -> (FeedBoard, Stream) {
        let board = FeedBoard::default();
        let stream = board.stream("one", Duration::from_millis(40));
        (board, stream)
    }

    fn row(board: &FeedBoard) -> FeedRow {
        board.report().remove(0)
    }

    #[test]
    fn a_socket_alone_is_not_live_and_silence_makes_stale() {
        let (board, stream) = board();
        assert_eq!(row(&board).state, FeedState::Connecting);
        stream.connected();
        stream.message(4);
        assert_eq!(row(&board).state, FeedState::Connecting);
        stream.told(&[tick(8_000)], Timestamp::from_ms(9_000), 1.0);
        assert_eq!(row(&board).state, FeedState::Live);
        std::thread::sleep(Duration::from_millis(80));
        let stale = row(&board);
        assert_eq!(stale.state, FeedState::Stale);
        // It went stale when the silence grew too long, not when somebody looked.
        assert!(stale.for_secs > 0.0 && stale.bad_secs >= stale.for_secs);
        stream.told(&[tick(8_500)], Timestamp::from_ms(9_000), 1.0);
        assert_eq!(row(&board).state, FeedState::Live);
        stream.down("reset by peer");
        let down = row(&board);
        assert_eq!((down.state, down.reconnects), (FeedState::Down, 0));
        assert_eq!(down.last_error.as_deref(), Some("reset by peer"));
        stream.connected();
        let again = row(&board);
        assert_eq!((again.state, again.reconnects), (FeedState::Connecting, 1));
        assert_eq!((again.messages, again.bytes), (1, 4));
        stream.carries("", true);
        assert_eq!(row(&board).state, FeedState::Idle);
        // A watcher that is started again goes on counting.
        board.stream("one", Duration::from_secs(1)).message(6);
        assert_eq!(row(&board).bytes, 10);
    }

    #[test]
    fn lag_is_told_in_time_of_the_wall() {
        let (board, stream) = board();
        for n in 1..=100 {
            let at = Timestamp::from_ms(1_000_000);
            let received = Timestamp::from_ms(1_000_000 + 20 * n);
            stream.told(
                &[Event::OracleTick(OracleTick {
                    oracle: OracleId(0),
                    price: SpotPrice(1),
                    source_time: at,
                })],
                received,
                20.0,
            );
        }
        let row = row(&board);
        // 20 ms of a world that is 20 times as fast are one of ours.
        assert_eq!(row.lag_median_ms, Some(50.0));
        assert_eq!(row.lag_p99_ms, Some(99.0));
    }

    #[test]
    fn only_the_newest_lags_count_and_gaps_are_counted() {
        let (board, stream) = board();
        for n in 0..LAGS as u64 * 2 {
            let ms = if n < LAGS as u64 { 900 } else { 5 };
            let received = Timestamp::from_ms(10_000 + ms);
            stream.told(&[tick(10_000)], received, 1.0);
        }
        stream.told(&[Event::OracleGap(OracleId(0))], Timestamp(0), 1.0);
        let row = row(&board);
        assert_eq!((row.lag_p99_ms, row.gaps), (Some(5.0), 1));
    }

    #[test]
    fn our_clock_is_compared_with_the_date_of_an_answer() {
        let board = FeedBoard::default();
        let asked = SystemTime::now();
        board.dated("venue", "Sun, 06 Nov 1994 08:49:37 GMT", asked);
        board.dated("other", "yesterday", asked);
        let skews = board.skews();
        assert_eq!(skews.len(), 1);
        let then = 784_111_777.5;
        let since = asked
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        assert!(
            (skews[0].skew_ms / 1_000.0 - (since - then)).abs() < 60.0,
            "{skews:?}"
        );
        assert!(skews[0].within_ms >= 500.0);
    }

    #[test]
    fn there_is_a_limit_to_what_is_shown() {
        let board = FeedBoard::default();
        for n in 0..STREAMS_MAX + 5 {
            board
                .stream(&n.to_string(), Duration::from_secs(1))
                .message(1);
        }
        assert_eq!(board.report().len(), STREAMS_MAX);
    }
}
