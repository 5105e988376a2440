//! Polymarket's market channel, as the simulated venue speaks it.
//!
//! Owns: subscriptions, the frames of every event type with the venue's key order, and the book
//! hash. Known to differ from the venue: trades are always printed at the resting order's price.
//! Never: keeps a book of its own; frames are drawn from the hub's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::book::{Outcome, Side, price_from, trimmed_price, trimmed_size};
use super::client::{Client, FrameClass, Session};
use super::gamma;
use super::hub::{Hub, Silence, View};
use super::spec::MarketKey;

/// Without a `PING` for this long the connection is closed.
pub const PING_WITHIN: Duration = Duration::from_secs(30);
/// Beyond this many assets on one connection the venue sends deltas but no initial book.
const INITIAL_BOOK_ASSETS_MAX: usize = 750;
/// The answer to what the venue cannot make sense of.
const INVALID: &str = "INVALID OPERATION";

/// One connection's subscriptions.
#[derive(Debug, Default)]
pub struct PolymarketSession {
    subscribed: bool,
    custom: bool,
    assets: BTreeSet<(MarketKey, Outcome)>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default, alias = "asset_ids")]
    assets_ids: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    operation: Option<String>,
    initial_dump: Option<bool>,
    custom_feature_enabled: Option<bool>,
}

fn session(client: &mut Client) -> Option<&mut PolymarketSession> {
    match &mut client.session {
        Session::Polymarket(session) => Some(session),
        _ => None,
    }
}

/// A text message from a client.
pub fn on_text(hub: &mut Hub, id: u64, text: &str) {
    let Some(client) = hub.clients.get_mut(id) else {
        return;
    };
    let subscribed = session(client).is_some_and(|session| session.subscribed);
    if text == "PING" {
        if subscribed {
            client.heard = std::time::Instant::now();
            client.text(FrameClass::Control, "PONG");
        } else {
            client.text(FrameClass::Control, INVALID);
        }
        return;
    }
    let Ok(request) = serde_json::from_str::<Request>(text) else {
        client.text(FrameClass::Control, INVALID);
        return;
    };
    let first = request
        .kind
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("market"));
    match request.operation.as_deref() {
        None if first => {}
        Some("subscribe") if subscribed => {}
        Some("unsubscribe") if subscribed => {
            let gone: Vec<_> = request
                .assets_ids
                .iter()
                .filter_map(|token| hub.find_token(token))
                .collect();
            if let Some(session) = hub.clients.get_mut(id).and_then(session) {
                session.assets.retain(|asset| !gone.contains(asset));
            }
            return;
        }
        _ => {
            client.text(FrameClass::Control, INVALID);
            return;
        }
    }
    subscribe(hub, id, &request);
}

fn subscribe(hub: &mut Hub, id: u64, request: &Request) {
    let assets: Vec<_> = request
        .assets_ids
        .iter()
        .filter_map(|token| hub.find_token(token))
        .collect();
    let mut dump = String::from("[");
    for (key, outcome) in &assets {
        if let Some(view) = hub.views.get(key) {
            if dump.len() > 1 {
                dump.push(',');
            }
            dump.push_str(&book_frame(view, *outcome, view.changed_ms, true));
        }
    }
    dump.push(']');
    let Some(client) = hub.clients.get_mut(id) else {
        return;
    };
    client.heard = std::time::Instant::now();
    let Some(session) = session(client) else {
        return;
    };
    session.subscribed = true;
    session.custom |= request.custom_feature_enabled.unwrap_or(false);
    session.assets.extend(assets);
    let within = session.assets.len() <= INITIAL_BOOK_ASSETS_MAX;
    if request.initial_dump.unwrap_or(true) && within && dump.len() > 2 {
        client.text(FrameClass::Data, dump);
    }
}

/// Sends to whoever `wants` it, unless the market is silent. Draws the frame only when needed.
fn publish(
    hub: &mut Hub,
    key: MarketKey,
    class: FrameClass,
    wants: impl Fn(&PolymarketSession) -> bool,
    draw: impl Fn(&View) -> String,
) {
    if hub.is_silent(Silence::Market(key)) {
        return;
    }
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let mut frame: Option<axum::extract::ws::Utf8Bytes> = None;
    for client in hub.clients.iter_mut() {
        if session(client).is_some_and(|session| session.subscribed && wants(session)) {
            client.text(
                class,
                frame.get_or_insert_with(|| draw(view).into()).clone(),
            );
        }
    }
}

fn follows(key: MarketKey) -> impl Fn(&PolymarketSession) -> bool {
    move |session| {
        Outcome::BOTH
            .iter()
            .any(|outcome| session.assets.contains(&(key, *outcome)))
    }
}

/// A level has changed: one `price_change` with the entry and its mirror image.
pub fn level_changed(
    hub: &mut Hub,
    key: MarketKey,
    side: Side,
    price: u16,
    size: i64,
    best_moved: bool,
) {
    publish(hub, key, FrameClass::Delta, follows(key), |view| {
        let mut frame = format!(r#"{{"market":"{}","price_changes":["#, view.id);
        for outcome in Outcome::BOTH {
            if outcome == Outcome::No {
                frame.push(',');
            }
            let word = match side.seen_from(outcome) {
                Side::Bid => "BUY",
                Side::Ask => "SELL",
            };
            let (bid, ask) = best_of(view, outcome);
            let _ = write!(
                frame,
                r#"{{"asset_id":"{}","price":"{}","size":"{}","side":"{word}","hash":"{}","best_bid":"{bid}","best_ask":"{ask}"}}"#,
                view.tokens[outcome.index()],
                trimmed_price(price_from(outcome, price)),
                trimmed_size(size.max(0)),
                book_hash(view, outcome, view.changed_ms),
            );
        }
        let _ = write!(
            frame,
            r#"],"timestamp":"{}","event_type":"price_change"}}"#,
            view.changed_ms
        );
        frame
    });
    if best_moved {
        for outcome in Outcome::BOTH {
            let wants = |session: &PolymarketSession| {
                session.custom && session.assets.contains(&(key, outcome))
            };
            publish(hub, key, FrameClass::Data, wants, |view| {
                let (bid, ask) = best_of(view, outcome);
                let best = |side| view.book.best_from(outcome, side);
                let spread = best(Side::Ask)
                    .unwrap_or(super::book::ONE)
                    .saturating_sub(best(Side::Bid).unwrap_or(0));
                format!(
                    r#"{{"market":"{}","asset_id":"{}","best_bid":"{bid}","best_ask":"{ask}","spread":"{}","timestamp":"{}","event_type":"best_bid_ask"}}"#,
                    view.id,
                    view.tokens[outcome.index()],
                    trimmed_price(spread),
                    view.changed_ms,
                )
            });
        }
    }
}

/// After a trade the venue refreshes both books in full.
pub fn books_after_trade(hub: &mut Hub, key: MarketKey) {
    for outcome in Outcome::BOTH {
        let wants = |session: &PolymarketSession| session.assets.contains(&(key, outcome));
        publish(hub, key, FrameClass::Data, wants, |view| {
            book_frame(view, outcome, view.changed_ms, false)
        });
    }
}

/// Which token a fill is printed on, and its price there. A taker who hits a bid for one token is
/// sometimes shown buying its twin at the complement; the print keeps the resting order's price.
pub fn printed(resting: Side, price: u16, id: u64) -> (Outcome, u16) {
    let outcome = if resting == Side::Bid && id.is_multiple_of(2) {
        Outcome::No
    } else {
        Outcome::Yes
    };
    (outcome, price_from(outcome, price))
}

/// The trade itself, some milliseconds after the book moved.
pub fn print(hub: &mut Hub, key: MarketKey, resting: Side, price: u16, size: i64, id: u64) {
    let (outcome, price) = printed(resting, price, id);
    let side = match resting.seen_from(outcome) {
        Side::Bid => "SELL",
        Side::Ask => "BUY",
    };
    let (seed, now_ms) = (hub.world.seed(), hub.now_ms());
    publish(hub, key, FrameClass::Data, follows(key), |view| {
        format!(
            r#"{{"market":"{}","asset_id":"{}","price":"{}","size":"{}","fee_rate_bps":"1000","side":"{side}","timestamp":"{now_ms}","event_type":"last_trade_price","transaction_hash":"{}"}}"#,
            view.id,
            view.tokens[outcome.index()],
            trimmed_price(price),
            trimmed_size(size),
            key.hex_id(seed, &format!("trade {id}")),
        )
    });
}

/// The tick has changed: one event a token, then both books, which start a new epoch.
pub fn tick_changed(hub: &mut Hub, key: MarketKey, old: u16) {
    let now_ms = hub.now_ms();
    if let Some(view) = hub.views.get_mut(&key) {
        view.changed_ms = now_ms;
    }
    for outcome in Outcome::BOTH {
        let wants = |session: &PolymarketSession| session.assets.contains(&(key, outcome));
        publish(hub, key, FrameClass::Data, wants, |view| {
            format!(
                r#"{{"event_type":"tick_size_change","asset_id":"{}","market":"{}","old_tick_size":"{}","new_tick_size":"{}","timestamp":"{now_ms}"}}"#,
                view.tokens[outcome.index()],
                view.id,
                trimmed_price(old),
                trimmed_price(view.tick),
            )
        });
        publish(hub, key, FrameClass::Data, wants, |view| {
            book_frame(view, outcome, now_ms, true)
        });
    }
}

/// `new_market`, to every connection that asked for the custom events.
pub fn listed(hub: &mut Hub, key: MarketKey) {
    let (now_ms, title) = (hub.now_ms(), gamma::title(hub, key));
    let wants = |session: &PolymarketSession| session.custom;
    publish(hub, key, FrameClass::Data, wants, |view| {
        gamma::new_market(view, &title, now_ms)
    });
}

/// `market_resolved`, to every connection that asked for the custom events.
pub fn resolved(hub: &mut Hub, key: MarketKey, winner: Outcome) {
    let now_ms = hub.now_ms();
    publish(
        hub,
        key,
        FrameClass::Data,
        |session| session.custom,
        |view| {
            format!(
                r#"{{"event_type":"market_resolved","id":"{}","market":"{}","assets_ids":["{}","{}"],"winning_asset_id":"{}","winning_outcome":"{}","timestamp":"{now_ms}","tags":["crypto"]}}"#,
                gamma::numeric_id(key),
                view.id,
                view.tokens[0],
                view.tokens[1],
                view.tokens[winner.index()],
                gamma::outcome_names(key)[winner.index()],
            )
        },
    );
}

/// The order book service has forgotten the market: so do the subscriptions.
pub fn delisted(hub: &mut Hub, key: MarketKey) {
    for session in hub.clients.iter_mut().filter_map(session) {
        session.assets.retain(|(other, _)| *other != key);
    }
}

fn best_of(view: &View, outcome: Outcome) -> (String, String) {
    let best = |side, none: &str| {
        view.book
            .best_from(outcome, side)
            .map_or(none.to_owned(), trimmed_price)
    };
    (best(Side::Bid, "0"), best(Side::Ask, "1"))
}

/// A `book` event. The subscription's snapshot also carries tick and last trade.
fn book_frame(view: &View, outcome: Outcome, at_ms: u64, snapshot: bool) -> String {
    let (bids, asks) = sides(view, outcome);
    let mut frame = format!(
        r#"{{"market":"{}","asset_id":"{}","timestamp":"{at_ms}","hash":"{}","bids":{bids},"asks":{asks}"#,
        view.id,
        view.tokens[outcome.index()],
        book_hash(view, outcome, at_ms),
    );
    if snapshot {
        let _ = write!(frame, r#","tick_size":"{}""#, trimmed_price(view.tick));
    }
    frame.push_str(r#","event_type":"book""#);
    if snapshot {
        let _ = write!(frame, r#","last_trade_price":"{}""#, last_trade(view));
    }
    frame.push('}');
    frame
}

/// The answer of `GET /book`.
pub fn rest_book(view: &View, outcome: Outcome) -> String {
    document(
        view,
        outcome,
        view.changed_ms,
        &book_hash(view, outcome, view.changed_ms),
    )
}

/// SHA-1 of the book document with an empty hash.
fn book_hash(view: &View, outcome: Outcome, at_ms: u64) -> String {
    let digest = Sha1::digest(document(view, outcome, at_ms, "").as_bytes());
    digest
        .iter()
        .fold(String::with_capacity(40), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn document(view: &View, outcome: Outcome, at_ms: u64, hash: &str) -> String {
    let (bids, asks) = sides(view, outcome);
    format!(
        r#"{{"market":"{}","asset_id":"{}","timestamp":"{at_ms}","hash":"{hash}","bids":{bids},"asks":{asks},"min_order_size":"{}","tick_size":"{}","neg_risk":{},"last_trade_price":"{}"}}"#,
        view.id,
        view.tokens[outcome.index()],
        gamma::ORDER_SIZE_MIN,
        trimmed_price(view.tick),
        matches!(view.key, MarketKey::Range { .. }),
        last_trade(view),
    )
}

/// Three decimals, or nothing when it never traded.
fn last_trade(view: &View) -> String {
    view.last_trade.map_or(String::new(), |price| {
        format!("{}.{:03}", price / 10_000, price % 10_000 / 10)
    })
}

fn sides(view: &View, outcome: Outcome) -> (String, String) {
    let list = |levels: Vec<(u16, i64)>| {
        let mut text = String::from("[");
        for (price, size) in levels {
            if text.len() > 1 {
                text.push(',');
            }
            let _ = write!(
                text,
                r#"{{"price":"{}","size":"{}"}}"#,
                trimmed_price(price),
                trimmed_size(size)
            );
        }
        text.push(']');
        text
    };
    (
        list(view.book.bids_ascending(outcome)),
        list(view.book.asks_descending(outcome)),
    )
}
