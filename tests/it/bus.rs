//! The bus against a real Redis.

use crate::services::service;
use crate::trades::{bought, refused, settled};
use futures_util::StreamExt;
use pm_arb::agent::{AgentContext, AgentError};
use pm_arb::bus::{BUS_QUEUE, BusHandle, BusMessage, BusStatus, OracleMessage, QuoteMessage, bus};
use pm_arb::input::{self, Input, InputReceiver};
use pm_arb_core::effect::{Alert, AlertLevel, Decision, Message, Rejection, Request};
use pm_arb_core::event::Command;
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, OracleId, Seq, Timestamp, Venue,
};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty, SpotPrice, Usd};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
const AT: Timestamp = Timestamp(1_790_000_000_123_456_789);
/// Long enough for a slow machine; nothing here is measured.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    handle: BusHandle,
    input: InputReceiver,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), AgentError>>,
}

fn start(url: &str, run_id: Uuid) -> Running {
    let (sender, input) = input::channel();
    let (handle, bus) = bus(url.to_owned(), run_id, sender);
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(async move { bus.run(AgentContext::new(stopping)).await });
    Running {
        handle,
        input,
        stop,
        task,
    }
}

async fn until(handle: &BusHandle, what: &str, reached: impl Fn(&BusStatus) -> bool) {
    let waited = async {
        while !reached(&handle.status()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    assert!(waited.is_ok(), "never {what}: {:?}", handle.status());
}

/// Everything published on any channel from now on.
async fn subscriber(url: &str) -> redis::aio::PubSubStream {
    let client = redis::Client::open(url).unwrap();
    let mut pubsub = client.get_async_pubsub().await.unwrap();
    pubsub.psubscribe("*").await.unwrap();
    pubsub.into_on_message()
}

async fn next(heard: &mut redis::aio::PubSubStream) -> (String, Value) {
    let message = tokio::time::timeout(PATIENCE, heard.next())
        .await
        .expect("nothing was published")
        .expect("the subscription ended");
    let body = serde_json::from_slice(message.get_payload_bytes()).unwrap_or(Value::Null);
    (message.get_channel_name().to_owned(), body)
}

fn alert(text: &str) -> BusMessage {
    effect(Message::Alert(Alert {
        level: AlertLevel::Critical,
        code: "DRAWDOWN".into(),
        text: text.into(),
        at: AT,
    }))
}

fn effect(message: Message) -> BusMessage {
    BusMessage::Effect(Box::new(message))
}

fn quote(bid: i64) -> BusMessage {
    BusMessage::Quote(Box::new(QuoteMessage {
        instrument: InstrumentId(14),
        venue: Venue::Polymarket,
        market_id: "0xc0ffee".into(),
        market_slug: "btc-updown-15m-1790000000".into(),
        outcome: "Up".into(),
        bid: Some((Price(bid), Qty(12_500_000))),
        ask: None,
        at: AT,
    }))
}

fn everything() -> Vec<BusMessage> {
    let id = OpportunityId { seq: Seq(9), n: 0 };
    let intent = IntentId { seq: Seq(10), n: 0 };
    let kind = OpportunityKind::OracleLag;
    let rejection = Rejection {
        reason: Reason::StaleBook,
        limit: "5000 ms".into(),
        observed: "7310 ms".into(),
    };
    let decision = |verdict| {
        effect(Message::Decision(Decision {
            intent,
            strategy: "oracle-sniper".into(),
            verdict,
            at: AT,
        }))
    };
    vec![
        effect(Message::Opportunity(Opportunity {
            id,
            kind,
            relation: None,
            at: AT,
            legs: vec![OpportunityLeg {
                instrument: InstrumentId(14),
                market: MarketId(7),
                venue: Venue::Polymarket,
                price: Price(480_000),
                qty: Qty(40_000_000),
                fair: Some(Price(531_250)),
                fee: Usd(17_480),
                book_age: Nanos::from_ms(41),
            }],
            edge: Usd(33_770),
            qty: Qty(40_000_000),
            closes_at: Timestamp::from_secs(1_790_000_900),
            oracle_age: Nanos::from_ms(120),
        })),
        effect(Message::Request(Request {
            intent,
            opportunity: id,
            kind,
            strategy: "oracle-sniper".into(),
            at: AT,
            qty: Qty(5_000_000),
            legs: vec![(InstrumentId(14), true, Price(490_000))],
            expected_edge: Usd(33_770),
        })),
        decision(Ok(Qty(5_000_000))),
        decision(Err(rejection)),
        effect(Message::Result(bought(12, 0))),
        effect(Message::Result(refused(13, 0, Reason::NoLiquidity, false))),
        effect(Message::Update(settled(12, 0, -2_487_360))),
        alert("equity fell by 20.0 %"),
        quote(470_000),
        BusMessage::Oracle(Box::new(OracleMessage {
            oracle: OracleId(0),
            source: "binance".into(),
            symbol: "btcusdt".into(),
            price: SpotPrice(97_842_120_000_000_000_000_000),
            source_time: AT,
            received_at: Timestamp(AT.0 + 1),
        })),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_channel_carries_its_messages() {
    let test = "bus::every_channel_carries_its_messages";
    let Some(url) = service("TEST_REDIS_URL", test) else {
        return;
    };
    // Others may use the same server: only this run's messages count.
    let run_id = Uuid::from_u128(0xbeef_0000 + u128::from(std::process::id()));
    let mut heard = subscriber(&url).await;
    let Running {
        handle, stop, task, ..
    } = start(&url, run_id);
    let sent = everything();
    for message in &sent {
        handle.publish(message.clone());
    }
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let (channel, body) = next(&mut heard).await;
        if body["run_id"] == json!(run_id) {
            got.push((channel, body));
        }
    }
    let seen: Vec<(&str, &str)> = got
        .iter()
        .map(|(channel, body)| (channel.as_str(), body["schema"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("opportunities", "pm-arb.opportunity/1"),
            ("trade.requests", "pm-arb.trade-request/1"),
            ("trade.decisions", "pm-arb.trade-decision/1"),
            ("trade.decisions", "pm-arb.trade-decision/1"),
            ("trade.results", "pm-arb.trade-result/1"),
            ("trade.results", "pm-arb.trade-result/1"),
            ("trade.results", "pm-arb.trade-update/1"),
            ("system.alerts", "pm-arb.alert/1"),
            ("venue.polymarket.prices", "pm-arb.price/1"),
            ("oracle.binance.btcusdt", "pm-arb.oracle/1"),
        ]
    );
    for ((_, body), message) in got.iter().zip(&sent) {
        assert_eq!(*body, message.json(run_id));
    }
    until(&handle, "all counted", |s| s.published == 10).await;
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(handle.status().dropped, 0);
}

/// The wire format, word for word: other programs read it.
#[test]
fn messages_look_as_documented() {
    let all: Vec<Value> = everything().iter().map(|m| m.json(RUN)).collect();
    assert_eq!(
        all[4],
        json!({
            "schema": "pm-arb.trade-result/1",
            "run_id": "01234567-89ab-cdef-0123-456789abcdef",
            "id": pm_arb::store::trade_uuid(RUN, bought(12, 0).id).to_string(),
            "at": "2026-09-21T14:13:32.123456789Z",
            "opportunity_id": "12.0",
            "opportunity_type": "oracle_lag",
            "intent_id": "12.0",
            "leg": 0,
            "venue": "polymarket",
            "market_id": "0xc0ffee",
            "market_slug": "btc-updown-15m-1790000000",
            "instrument": 14,
            "outcome": "Up",
            "side": "buy",
            "requested_quantity": "6.5",
            "quantity": "5",
            "price": "0.48",
            "cost": "2.40",
            "fees": "0.08736",
            "expected_edge": "0.03125",
            "strategy": "oracle-sniper",
            "strategy_version": "1.2.0",
            "generation": 3,
            "risk_approved": true,
            "rejection": null,
            "status": "open",
            "decided_at": "2026-09-21T14:13:31.823456789Z",
            "arrived_at": "2026-09-21T14:13:32.123456789Z",
        })
    );
    assert_eq!(all[2]["approved"], true);
    assert_eq!(all[2]["quantity"], "5");
    assert_eq!(all[3]["approved"], false);
    assert_eq!(all[3]["quantity"], Value::Null);
    assert_eq!(
        all[3]["rejection"],
        json!({"reason": "STALE_BOOK", "limit": "5000 ms", "observed": "7310 ms"})
    );
    assert_eq!(all[6]["realized_pnl"], "-2.48736");
    assert_eq!(all[8]["bid"], json!({"price": "0.47", "quantity": "12.5"}));
    assert_eq!(all[8]["ask"], Value::Null);
    assert_eq!(all[9]["price"], "97842.12");
    // No number of ours is a float.
    let text = serde_json::to_string(&all).unwrap();
    assert!(!has_float(&serde_json::from_str(&text).unwrap()), "{text}");
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(n) => n.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

/// A Redis of one test's own, which can be killed and started again.
struct Redis {
    port: u16,
    folder: tempfile::TempDir,
    server: Option<Child>,
}

impl Redis {
    async fn start(test: &str) -> Option<Self> {
        // Where services are required, the program must be there as well.
        service("TEST_REDIS_URL", test)?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut redis = Self {
            port: free.local_addr().unwrap().port(),
            folder: tempfile::tempdir().unwrap(),
            server: None,
        };
        drop(free);
        redis.up().await;
        Some(redis)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    async fn up(&mut self) {
        let server = std::process::Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is on the PATH (Debian: redis-server)");
        self.server = Some(server);
        let client = redis::Client::open(self.url()).unwrap();
        let waited = tokio::time::timeout(PATIENCE, async {
            while client.get_multiplexed_async_connection().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "redis-server did not start");
    }

    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    async fn command(&self, payload: &str) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("PUBLISH")
            .arg("system.commands")
            .arg(payload)
            .query_async::<()>(&mut connection)
            .await
            .unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn command(input: &mut InputReceiver) -> Command {
    match tokio::time::timeout(PATIENCE, input.recv()).await {
        Ok(Some(Input::Command(command))) => command,
        Ok(_) => panic!("not a command"),
        Err(_) => panic!("no command arrived"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reach_the_engine_and_nothing_else_does() {
    let test = "bus::commands_reach_the_engine_and_nothing_else_does";
    let Some(redis) = Redis::start(test).await else {
        return;
    };
    let Running {
        handle,
        mut input,
        stop,
        task,
    } = start(&redis.url(), RUN);
    until(&handle, "connected", |s| s.connected).await;
    let mut heard = subscriber(&redis.url()).await;
    let not_commands = [
        "halt",
        r#"{"schema":"pm-arb.command/1","command":"halt"}"#,
        r#"{"schema":"pm-arb.command/1","command":"halt","why":1}"#,
        r#"{"schema":"pm-arb.command/1","command":"approve","why":"x"}"#,
        r#"{"schema":"pm-arb.command/1","command":"resume","note":"x","approved":"False"}"#,
    ];
    for payload in not_commands {
        redis.command(payload).await;
    }
    redis
        .command(r#"{"schema":"pm-arb.command/1","command":"halt","why":"smoke (anna)"}"#)
        .await;
    redis
        .command(r#"{"schema":"pm-arb.command/1","command":"resume","note":"gone (anna)"}"#)
        .await;
    // The first thing the engine hears is the halt: everything before it was ignored.
    assert_eq!(
        command(&mut input).await,
        Command::Halt {
            why: "smoke (anna)".into()
        }
    );
    assert_eq!(
        command(&mut input).await,
        Command::Resume {
            note: "gone (anna)".into()
        }
    );
    let status = handle.status();
    assert_eq!((status.commands, status.refused), (2, 5));
    let warned = loop {
        let (channel, body) = next(&mut heard).await;
        if channel == "system.alerts" {
            break body;
        }
    };
    assert_eq!(
        (&warned["code"], &warned["level"]),
        (&json!("COMMAND_REFUSED"), &json!("warning"))
    );
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    assert!(input.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_outlives_redis() {
    let test = "bus::the_bus_outlives_redis";
    let Some(mut redis) = Redis::start(test).await else {
        return;
    };
    let Running {
        handle,
        mut input,
        stop,
        task,
    } = start(&redis.url(), RUN);
    until(&handle, "connected", |s| s.connected).await;
    handle.publish(alert("before"));
    until(&handle, "published", |s| s.published == 1).await;

    redis.kill();
    until(&handle, "disconnected", |s| !s.connected).await;
    // Publishing goes on without waiting; what does not fit is counted, the newest is kept.
    for number in 0..BUS_QUEUE + 10 {
        handle.publish(alert(&number.to_string()));
    }
    let status = handle.status();
    assert_eq!((status.waiting, status.dropped), (BUS_QUEUE, 10));
    assert!(status.last_error.is_some());

    redis.up().await;
    let all = 1 + BUS_QUEUE as u64;
    until(&handle, "published again", |s| {
        s.published >= all && s.connected
    })
    .await;
    assert_eq!(handle.status().waiting, 0);
    // Both directions are back.
    let mut heard = subscriber(&redis.url()).await;
    handle.publish(alert("after"));
    assert_eq!(next(&mut heard).await.1["text"], "after");
    redis
        .command(r#"{"schema":"pm-arb.command/1","command":"halt","why":"still there"}"#)
        .await;
    assert_eq!(
        command(&mut input).await,
        Command::Halt {
            why: "still there".into()
        }
    );
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_bus_waits_and_a_bad_url_ends_it() {
    let Running {
        handle, stop, task, ..
    } = start("redis://127.0.0.1:1/0", RUN);
    until(&handle, "failed", |s| s.last_error.is_some()).await;
    assert!(!handle.status().connected);
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();

    let Running {
        task, stop: _stop, ..
    } = start("http://me:secret@127.0.0.1/", RUN);
    let error = task.await.unwrap().unwrap_err();
    assert!(matches!(error, AgentError::Fatal(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}
