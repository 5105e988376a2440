//! Polymarket's real-time data service: the relay of the settlement source and of Binance.
//!
//! Owns: topic subscriptions and their messages. The relay is a second late and misses seconds
//! now and then, as the real one does.
//! Never: relays a value it was not given.

use std::time::Duration;

use serde::Deserialize;

use super::client::{Client, FrameClass, Session};
use super::hub::{Hub, Silence};
use super::misbehave::SimVenue;
use super::tape::Trade;

/// Without a `PING` for this long the connection is closed.
pub const PING_WITHIN: Duration = Duration::from_secs(30);

/// One connection's subscriptions.
#[derive(Debug, Default)]
pub struct RtdsSession {
    chainlink: bool,
    binance: bool,
    binance_sent_ms: u64,
}

#[derive(Deserialize)]
struct Request {
    action: String,
    #[serde(default)]
    subscriptions: Vec<Topic>,
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
    #[serde(default)]
    filters: String,
}

fn session(client: &mut Client) -> Option<&mut RtdsSession> {
    match &mut client.session {
        Session::Rtds(session) => Some(session),
        _ => None,
    }
}

/// A text message from a client.
pub fn on_text(hub: &mut Hub, id: u64, text: &str) {
    let Some(client) = hub.clients.get_mut(id) else {
        return;
    };
    if text.eq_ignore_ascii_case("ping") {
        client.heard = std::time::Instant::now();
        client.text(FrameClass::Control, "PONG");
        return;
    }
    let request = serde_json::from_str::<Request>(text).ok();
    let wanted = request.as_ref().and_then(|r| match r.action.as_str() {
        "subscribe" => Some(true),
        "unsubscribe" => Some(false),
        _ => None,
    });
    let (Some(request), Some(wanted), Some(session)) = (&request, wanted, session(client)) else {
        client.text(
            FrameClass::Control,
            r#"{"message":"Invalid request body","statusCode":400}"#,
        );
        return;
    };
    for topic in &request.subscriptions {
        match topic.topic.as_str() {
            // No filter means every symbol; this world has one of each.
            "crypto_prices_chainlink"
                if topic.filters.is_empty() || topic.filters.contains("btc/usd") =>
            {
                session.chainlink = wanted
            }
            "crypto_prices" if topic.filters.is_empty() || topic.filters.contains("btcusdt") => {
                session.binance = wanted
            }
            _ => {}
        }
    }
}

fn publish(hub: &mut Hub, frame: &str, wants: impl Fn(&mut RtdsSession) -> bool) {
    if hub.is_silent(Silence::Rtds) {
        return;
    }
    for client in hub
        .clients
        .iter_mut()
        .filter(|client| client.venue == SimVenue::Rtds)
    {
        if session(client).is_some_and(&wants) {
            client.text(FrameClass::Delta, frame);
        }
    }
}

/// The settlement source's value of a second.
pub fn settlement(hub: &mut Hub, second: u64, value_e8: i64) {
    let (now_ms, at_ms) = (hub.now_ms(), second * 1_000);
    let (whole, part) = (value_e8 / 100_000_000, value_e8 % 100_000_000);
    let value = value_e8 as f64 / 1e8;
    let frame = format!(
        r#"{{"topic":"crypto_prices_chainlink","type":"update","timestamp":{now_ms},"payload":{{"symbol":"btc/usd","timestamp":{at_ms},"value":{value},"full_accuracy_value":"{whole}{part:08}0000000000"}}}}"#
    );
    publish(hub, &frame, |session| session.chainlink);
}

/// Binance's last trade, at most once a second.
pub fn binance_trade(hub: &mut Hub, trade: &Trade) {
    let now_ms = hub.now_ms();
    let frame = format!(
        r#"{{"topic":"crypto_prices","type":"update","timestamp":{now_ms},"payload":{{"symbol":"btcusdt","timestamp":{now_ms},"value":{}}}}}"#,
        trade.price as f64 / 100.0
    );
    publish(hub, &frame, |session| {
        let due = session.binance && now_ms >= session.binance_sent_ms + 1_000;
        if due {
            session.binance_sent_ms = now_ms;
        }
        due
    });
}
