//! One WebSocket connection of the simulated venues, from upgrade to end.
//!
//! Owns: the two halves of the socket and the venue's heartbeat rules, which run on the wall
//! clock: a client's heart does not beat faster in a compressed world.
//! Never: interprets a message; the venue's module does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};

use super::binance::{self, BinanceSession};
use super::client::{Client, Session};
use super::hub::Shared;
use super::kalshi::{self, KalshiSession};
use super::misbehave::SimVenue;
use super::polymarket::{self, PolymarketSession};
use super::rtds::{self, RtdsSession};

/// Longest message taken from a client.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How long one message may take to be written before the client is given up.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How often heartbeats are looked after.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// The WebSocket routes of every venue.
pub fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/polymarket/ws/market", get(polymarket_upgrade))
        .route("/polymarket/rtds", get(rtds_upgrade))
        .route("/binance/stream", get(combined_upgrade))
        .route("/binance/ws/{*streams}", get(raw_upgrade))
        .route("/kalshi/trade-api/ws/v2", get(kalshi_upgrade))
}

async fn polymarket_upgrade(
    State(shared): State<Arc<Shared>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    accept(
        shared,
        upgrade,
        SimVenue::Polymarket,
        Session::Polymarket(PolymarketSession::default()),
    )
}

async fn rtds_upgrade(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    accept(
        shared,
        upgrade,
        SimVenue::Rtds,
        Session::Rtds(RtdsSession::default()),
    )
}

async fn combined_upgrade(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let query = query.unwrap_or_default();
    let streams = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("streams="))
        .unwrap_or_default();
    // Clients that escape the address write the at sign and the slash as %40 and %2F.
    let streams = streams
        .replace("%40", "@")
        .replace("%2F", "/")
        .replace("%2f", "/");
    accept(
        shared,
        upgrade,
        SimVenue::Binance,
        Session::Binance(BinanceSession::new(true, &streams)),
    )
}

async fn raw_upgrade(
    State(shared): State<Arc<Shared>>,
    Path(streams): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    accept(
        shared,
        upgrade,
        SimVenue::Binance,
        Session::Binance(BinanceSession::new(false, &streams)),
    )
}

async fn kalshi_upgrade(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    accept(
        shared,
        upgrade,
        SimVenue::Kalshi,
        Session::Kalshi(KalshiSession::default()),
    )
}

fn accept(
    shared: Arc<Shared>,
    upgrade: WebSocketUpgrade,
    venue: SimVenue,
    session: Session,
) -> Response {
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| serve(shared, socket, venue, session))
}

/// Serves one connection until either side ends it.
async fn serve(shared: Arc<Shared>, socket: WebSocket, venue: SimVenue, session: Session) {
    let (mut sink, mut stream) = socket.split();
    let Some((id, mut frames)) = shared.lock().clients.join(venue, session) else {
        return;
    };
    // The queue closes when the hub lets go of the client; what is left in it is still written.
    let writer = async {
        while let Some(message) = frames.recv().await {
            let is_close = matches!(message, Message::Close(_));
            match tokio::time::timeout(WRITE_WITHIN, sink.send(message)).await {
                Ok(Ok(())) if !is_close => {}
                _ => break,
            }
        }
    };
    let reader = async {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(message)) => on_message(&shared, id, venue, &message),
                    _ => break,
                },
                _ = beat.tick() => {
                    let mut hub = shared.lock();
                    let Some(client) = hub.clients.get_mut(id) else { break };
                    keep_alive(client);
                    hub.clients.sweep();
                }
            }
        }
    };
    tokio::select! {
        () = writer => {}
        () = reader => {}
    }
    shared.lock().clients.leave(id);
}

fn on_message(shared: &Shared, id: u64, venue: SimVenue, message: &Message) {
    let mut hub = shared.lock();
    match message {
        Message::Text(text) => match venue {
            SimVenue::Polymarket => polymarket::on_text(&mut hub, id, text.as_str()),
            SimVenue::Rtds => rtds::on_text(&mut hub, id, text.as_str()),
            SimVenue::Binance => binance::on_text(&mut hub, id, text.as_str()),
            SimVenue::Kalshi => kalshi::on_text(&mut hub, id, text.as_str()),
        },
        Message::Pong(_) => {
            if let Some(client) = hub
                .clients
                .get_mut(id)
                .filter(|client| pings(client.venue).is_some())
            {
                client.heard = std::time::Instant::now();
            }
        }
        // Pings are answered below us, and the end of the stream follows a close.
        Message::Binary(_) | Message::Ping(_) | Message::Close(_) => {}
    }
    hub.clients.sweep();
}

/// What the server's protocol pings carry and how often they come, where it sends any.
fn pings(venue: SimVenue) -> Option<(Duration, &'static [u8], Duration)> {
    match venue {
        SimVenue::Binance => Some((binance::PING_EVERY, b"1", binance::PONG_WITHIN)),
        SimVenue::Kalshi => Some((kalshi::PING_EVERY, b"heartbeat", kalshi::PONG_WITHIN)),
        SimVenue::Polymarket | SimVenue::Rtds => None,
    }
}

fn keep_alive(client: &mut Client) {
    match (client.venue, pings(client.venue)) {
        (_, Some((every, body, within))) => {
            if client.silent_for() > within + every {
                client.cut();
            } else if client.pinged.elapsed() >= every {
                client.ping(body);
            }
        }
        (SimVenue::Polymarket, None) if client.silent_for() > polymarket::PING_WITHIN => {
            client.close(1008, "no ping received")
        }
        (SimVenue::Rtds, None) if client.silent_for() > rtds::PING_WITHIN => {
            client.close(1008, "no ping received")
        }
        (_, None) => {}
    }
}
