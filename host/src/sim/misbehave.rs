//! Faults on command: what the venues really do on bad days, when a test asks for it.
//!
//! Owns: the vocabulary of faults and how each is armed. Faults of a connection (drop, freeze,
//! reorder, malformed, duplicate) strike the clients connected at that moment: reconnecting cures
//! them, as on the real venues. Faults of an instrument (silence, crossed book, tick change)
//! strike everybody.
//! Never: changes the world: two runs of one seed differ only in what the wire did to them.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::book::{CENT, ONE, Side, TENTH_CENT};
use super::client::Client;
use super::hub::{Hub, Silence};
use super::{binance, kalshi, polymarket};

/// How long a crossed quote stands when no duration is given (world time).
const CROSSED_MS: u64 = 1_500;
/// How long an instrument is silent when no duration is given (wall time).
const SILENT_MS: u64 = 5_000;
/// Instruments silent at a time; one more forgets the oldest.
const SILENCES_MAX: usize = 64;
/// Size of the order that crosses a book: ten shares.
const CROSSING_SIZE: i64 = 1_000;

/// A simulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimVenue {
    /// Polymarket's market channel.
    Polymarket,
    /// Polymarket's price relay.
    Rtds,
    /// Binance.
    Binance,
    /// Kalshi.
    Kalshi,
}

impl SimVenue {
    /// All of them.
    pub const ALL: [SimVenue; 4] = [Self::Polymarket, Self::Rtds, Self::Binance, Self::Kalshi];
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The sockets close without a word.
    Drop,
    /// No data, while heartbeats are answered: for `millis` of wall time, or until reconnect.
    Freeze,
    /// `count` pairs of successive deltas arrive swapped.
    Reorder,
    /// A bid above the best ask stands in the book for `millis` of world time.
    CrossedBook,
    /// The instrument's tick changes between a cent and a tenth of a cent.
    TickSizeChange,
    /// `count` deltas arrive cut off in the middle.
    MalformedFrame,
    /// One instrument sends nothing for `millis` of wall time.
    Silence,
    /// `count` frames arrive twice.
    Duplicate,
}

/// A fault, as given in process or posted to the control address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub venue: SimVenue,
    /// What.
    pub kind: FaultKind,
    /// Token, condition id, slug, ticker or symbol; the current market when absent.
    #[serde(default)]
    pub instrument: Option<String>,
    /// How often; once when absent.
    #[serde(default)]
    pub count: Option<u32>,
    /// For how long; each kind says what that means and what its absence does.
    #[serde(default)]
    pub millis: Option<u64>,
}

impl Fault {
    /// A fault with every option absent.
    pub fn new(venue: SimVenue, kind: FaultKind) -> Self {
        Self {
            venue,
            kind,
            instrument: None,
            count: None,
            millis: None,
        }
    }
}

/// Arms a fault; tells how many connections or instruments it strikes (none: nothing happened).
pub(super) fn arm(hub: &mut Hub, fault: &Fault) -> usize {
    let count = fault.count.unwrap_or(1);
    match fault.kind {
        FaultKind::Silence => silence(hub, fault),
        FaultKind::CrossedBook => cross(hub, fault),
        FaultKind::TickSizeChange => change_tick(hub, fault),
        FaultKind::Drop => strike(hub, fault.venue, Client::cut),
        FaultKind::Freeze => {
            let span = fault.millis.map(Duration::from_millis);
            let until = span.map(|span| Instant::now() + span);
            strike(hub, fault.venue, |client| {
                client.faults.frozen = Some(until)
            })
        }
        FaultKind::Reorder => strike(hub, fault.venue, |client| client.faults.swaps_left = count),
        FaultKind::MalformedFrame => strike(hub, fault.venue, |client| {
            client.faults.garbled_left = count
        }),
        FaultKind::Duplicate => strike(hub, fault.venue, |client| {
            client.faults.doubled_left = count
        }),
    }
}

/// Does something to every connection of a service.
fn strike(hub: &mut Hub, venue: SimVenue, what: impl Fn(&mut Client)) -> usize {
    let mut struck = 0;
    for client in hub
        .clients
        .iter_mut()
        .filter(|client| client.venue == venue)
    {
        struck += 1;
        what(client);
    }
    hub.clients.sweep();
    struck
}

fn silence(hub: &mut Hub, fault: &Fault) -> usize {
    let until = Instant::now() + Duration::from_millis(fault.millis.unwrap_or(SILENT_MS));
    let silence = match fault.venue {
        SimVenue::Binance => Silence::Binance,
        SimVenue::Rtds => Silence::Rtds,
        SimVenue::Polymarket | SimVenue::Kalshi => {
            match hub.find_market(fault.venue, fault.instrument.as_deref()) {
                Some(key) => Silence::Market(key),
                None => return 0,
            }
        }
    };
    hub.silences.retain(|(other, _)| *other != silence);
    if hub.silences.len() >= SILENCES_MAX {
        hub.silences.remove(0);
    }
    hub.silences.push((silence, until));
    1
}

fn cross(hub: &mut Hub, fault: &Fault) -> usize {
    if fault.venue == SimVenue::Binance {
        return binance::send_crossed_ticker(hub);
    }
    let Some(key) = hub.find_market(fault.venue, fault.instrument.as_deref()) else {
        return 0;
    };
    let Some((ask, _)) = hub
        .views
        .get(&key)
        .and_then(|view| view.book.best(Side::Ask))
    else {
        return 0;
    };
    let price = (ask + CENT).min(ONE - TENTH_CENT);
    let until_ns = hub.delivered_ns + fault.millis.unwrap_or(CROSSED_MS) * 1_000_000;
    hub.set_level(key, Side::Bid, price, CROSSING_SIZE);
    hub.crossings.push((until_ns, key, price));
    1
}

fn change_tick(hub: &mut Hub, fault: &Fault) -> usize {
    let Some(key) = hub.find_market(fault.venue, fault.instrument.as_deref()) else {
        return 0;
    };
    let Some(view) = hub.views.get_mut(&key) else {
        return 0;
    };
    let old = view.tick;
    view.tick = if old == CENT { TENTH_CENT } else { CENT };
    if key.is_kalshi() {
        kalshi::tick_changed(hub, key);
    } else {
        polymarket::tick_changed(hub, key, old);
    }
    1
}

/// Takes back the crossing orders whose time is over, unless the makers changed them since.
pub(super) fn uncross(hub: &mut Hub) {
    let now_ns = hub.delivered_ns;
    let (due, waiting) = std::mem::take(&mut hub.crossings)
        .into_iter()
        .partition(|(at, _, _)| *at <= now_ns);
    hub.crossings = waiting;
    let due: Vec<_> = due;
    for (_, key, price) in due {
        let standing = hub
            .views
            .get(&key)
            .map_or(0, |view| view.book.size_at(Side::Bid, price));
        if standing == CROSSING_SIZE {
            hub.set_level(key, Side::Bid, price, 0);
        }
    }
}
