//! Row `dashboard`: reads of the API and the page of trades over a database of a million rows.
//!
//! A thousand wishes, fills and refusals are written the usual way; the database copies them a thousand
//! times with names, times and gains of their own. Then one client asks over a real socket, keeping its
//! connection, while the sums are made beside it as they are when somebody looks. SQLite, and the
//! PostgreSQL of `TEST_DATABASE_URL` when there is one. Wall time: the database's work is part of it.

use crate::Settings;
use crate::measure::{Goal, Outcome, Row};
use axum::Router;
use pm_arb::store::{RunInfo, Store, StoreOp};
use pm_arb::web::app::App;
use pm_arb::web::live::Live;
use pm_arb::web::{api, pages};
use pm_arb_core::effect::{
    FillLevel, Graded, IntentLegRecord, IntentRecord, Rejection, TradeRecord, TradeStatus,
    TradeUpdate,
};
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, Seq, StrategyId, Timestamp, TradeId,
    Venue,
};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty, Usd};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

/// Rows that are written the usual way.
const TEMPLATES: u64 = 1_000;
/// How often they are copied, themselves included.
const COPIES: u64 = 1_000;
/// Questions of every kind, in a round.
const ASKED: usize = 40;
/// A read of the API shall take no longer, 99 times of 100.
const P99_MS: f64 = 50.0;
/// The first page of a new connection shall take no longer.
const FIRST_MS: f64 = 1_000.0;
const START: u64 = 1_790_000_000_000_000_000;
const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let lite = format!("sqlite:{}", folder.path().join("million.sqlite").display());
        let mut rows = of("SQLite", &lite, settings, notes).await?;
        if let Ok(server) = std::env::var("TEST_DATABASE_URL") {
            let mut admin = PgConnection::connect(&server).await?;
            let schema = "bench_dashboard";
            let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
            admin.execute(AssertSqlSafe(drop.clone())).await?;
            admin
                .execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
                .await?;
            let join = if server.contains('?') { '&' } else { '?' };
            let url = format!("{server}{join}options[search_path]={schema}");
            rows.extend(of("PostgreSQL", &url, settings, notes).await?);
            admin.execute(AssertSqlSafe(drop)).await?;
        }
        Ok(rows)
    })
}

async fn of(
    name: &str,
    url: &str,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Outcome<Vec<Row>> {
    let begun = Instant::now();
    fill(url).await?;
    notes.push(format!(
        "dashboard: {} rows in {name} after {:.0} s",
        TEMPLATES * COPIES,
        begun.elapsed().as_secs_f64()
    ));
    // Nobody ends these streams: nobody watches.
    let (_end, ending) = tokio::sync::watch::channel(false);
    let app = App::new(
        tokio::sync::watch::channel(None).1,
        url,
        Arc::new(pm_arb::rulebook::built_in()?),
        std::env::temp_dir(),
        Live::new(ending),
    );
    let records = app.records.clone();
    let (v1, _) = api::trades::routes().split_for_parts();
    let router = Router::new()
        .nest("/api/v1", v1)
        .merge(pages::trades::routes())
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    // The first question of all: connections to the database are made, caches are cold.
    let begun = Instant::now();
    let mut client = Client::to(address).await?;
    client.get("/trades").await?;
    let first = begun.elapsed().as_secs_f64() * 1e3;
    let id = {
        let text = client.get("/api/v1/trades?limit=1").await?;
        let at = text.find("\"id\":\"").ok_or("no row was listed")? + 6;
        text.get(at..at + 36).ok_or("no id was listed")?.to_owned()
    };
    let list = |query: &str| format!("/api/v1/trades?{query}");
    let questions = [
        ("newest page", list("")),
        ("oldest page", list("order=asc")),
        ("one strategy", list("strategy=oracle-sniper")),
        ("one status", list("status=resolved")),
        ("one reason", list("reason=STALE_BOOK")),
        ("a market by its name", list("market=15m-500")),
        ("most gained", list("sort=pnl")),
        (
            "most gained of a strategy",
            list("sort=pnl&strategy=oracle-sniper"),
        ),
        (
            "most gained of one that was only refused",
            list("sort=pnl&strategy=late-favorite"),
        ),
        ("most promised", list("sort=edge")),
        ("a day", list("since=2026-09-25&until=2026-09-26")),
        ("page of trades, HTML", "/trades?status=resolved".to_owned()),
        ("story of a trade", format!("/api/v1/trades/{id}")),
        ("story of a trade, HTML", format!("/trades/{id}")),
    ];
    let mut all = Vec::new();
    let mut rows = Vec::new();
    for (what, url) in &questions {
        let mut times = Vec::new();
        for _ in 0..ASKED * settings.rounds {
            // Somebody looks: the sums are made beside.
            let _ = records.history();
            let begun = Instant::now();
            client.get(url).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        all.extend_from_slice(&times);
        rows.push(row(&format!("{name}: {what}"), times, P99_MS));
    }
    // Deep in the list: the place is 500 pages away from the beginning.
    let mut url = list("limit=1000");
    let mut times = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        let text = client.get(&url).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        let at = text.find("\"next\":\"").ok_or("the list ended early")? + 8;
        let rest = text.get(at..).unwrap_or_default();
        let place = rest.split('"').next().unwrap_or_default();
        url = list(&format!("limit=1000&place={place}"));
    }
    rows.push(row(
        &format!("{name}: a thousand rows, page by page"),
        times,
        P99_MS,
    ));
    rows.push(row(
        &format!("{name}: all reads above but the last"),
        all,
        P99_MS,
    ));
    rows.push(row(
        &format!("{name}: first page, nothing warm"),
        vec![first],
        FIRST_MS,
    ));
    let counted = records.counted(Duration::from_secs(600)).await;
    let counted = counted.and_then(|h| h.counted);
    notes.push(format!(
        "dashboard: the sums over {name} took {:.1} s beside the reads",
        counted.map_or(f64::NAN, |c| c.took.as_secs_f64())
    ));
    server.abort();
    Ok(rows)
}

fn row(what: &str, mut ms: Vec<f64>, most: f64) -> Row {
    let median = crate::measure::quantile(&mut ms, 0.5);
    let p99 = crate::measure::quantile(&mut ms, 0.99);
    Row {
        what: what.to_owned(),
        ours: format!("p50 {median:.2} ms, p99 {p99:.2} ms"),
        theirs: "-".to_owned(),
        best: f64::NAN,
        median: f64::NAN,
        goal: Goal::Within {
            value: p99,
            most,
            unit: "ms",
        },
    }
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn to(address: std::net::SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The body; anything but success is a failure of the measurement.
    async fn get(&mut self, url: &str) -> Outcome<String> {
        let ask = format!("GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(ask.as_bytes()).await?;
        let (mut line, mut length) = (String::new(), None);
        let mut status = None;
        loop {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Err("the server hung up".into());
            }
            let text = line.trim_end();
            if status.is_none() {
                status = Some(text.to_owned());
            }
            if text.is_empty() {
                break;
            }
            if let Some(number) = text.to_ascii_lowercase().strip_prefix("content-length:") {
                length = Some(number.trim().parse::<usize>()?);
            }
        }
        let mut body = vec![0; length.ok_or("an answer without a length")?];
        self.0.read_exact(&mut body).await?;
        let body = String::from_utf8(body)?;
        match status {
            Some(status) if status.contains(" 200 ") => Ok(body),
            status => Err(format!("{url}: {status:?}: {body}").into()),
        }
    }
}

/// Record `n` of the templates: a refusal, a fill that waits, or one that was paid.
fn template(n: u64) -> Vec<StoreOp> {
    let seq = Seq(n);
    let at = Timestamp(START + n * 1_000_000);
    let is_refused = n.is_multiple_of(2);
    let names = [
        "cross-platform",
        "oracle-sniper",
        "late-favorite",
        "mispricing-hunter",
    ];
    let name = names[(n % 4) as usize];
    let kinds = [OpportunityKind::OracleLag, OpportunityKind::Mispricing];
    let kind = kinds[(n % 2) as usize];
    let reasons = [
        Reason::Capital,
        Reason::StaleBook,
        Reason::Duplicate,
        Reason::EdgeImplausible,
    ];
    let rejection = is_refused.then(|| Rejection {
        reason: reasons[(n / 2 % 4) as usize],
        limit: "5000 ms".to_owned(),
        observed: "7310 ms".to_owned(),
    });
    let fee = FeeSchedule::polymarket(70_000);
    let level = |price: i64, qty: i64| FillLevel {
        price: Price(price),
        qty: Qty(qty),
        fee: fee.fee(Price(price), Qty(qty)).unwrap_or_default(),
    };
    let levels = match is_refused {
        true => Vec::new(),
        false => vec![level(470_000, 20_000_000), level(480_000, 30_000_000)],
    };
    let fees = Usd(levels.iter().map(|l| l.fee.0).sum());
    let wished = Qty(60_000_000);
    let graded = |price: i64| Graded {
        qty: wished,
        price: Price(price),
        value: Usd(price * 60),
        fee: Usd(0),
    };
    let intent = IntentId { seq, n: 0 };
    let opportunity = OpportunityId { seq, n: 0 };
    let wish = IntentRecord {
        id: intent,
        at,
        strategy: StrategyId(0),
        strategy_name: name.to_owned(),
        opportunity,
        kind,
        seen: None,
        qty: wished,
        expected_edge: Usd(31_250),
        time_in_force: "fak".to_owned(),
        verdict: Ok(wished),
        legs: vec![IntentLegRecord {
            leg: 0,
            market: MarketId(0),
            market_native_id: "0x0".to_owned(),
            instrument: InstrumentId(0),
            outcome: "Up".to_owned(),
            buy: true,
            limit: Price(480_000),
            bid: Some((Price(460_000), Qty(30_000_000))),
            ask: Some((Price(470_000), Qty(20_000_000))),
            naive: Some(graded(480_000)),
            mid: Some(graded(465_000)),
        }],
    };
    let trade = TradeRecord {
        id: TradeId { seq, n: 0 },
        at,
        opportunity,
        kind,
        intent,
        leg: 0,
        fill: 0,
        venue: Venue::Polymarket,
        market: MarketId(0),
        market_native_id: "0x0".to_owned(),
        market_slug: "btc-updown-15m-0".to_owned(),
        instrument: InstrumentId(0),
        outcome: "Up".to_owned(),
        buy: true,
        requested_qty: wished,
        qty: Qty(if is_refused { 0 } else { 50_000_000 }),
        price: Price(476_000),
        cost: Usd(if is_refused { 0 } else { 23_800_000 }),
        fees,
        expected_edge: Usd(31_250),
        strategy: StrategyId(0),
        strategy_name: name.to_owned(),
        strategy_version: "1.2.0".to_owned(),
        strategy_digest: [0xab; 32],
        generation: 3,
        risk_approved: true,
        rejection,
        status: if is_refused {
            TradeStatus::Rejected
        } else {
            TradeStatus::Open
        },
        decided_at: Timestamp(at.0 - 300_000_000),
        arrived_at: at,
        decision_book_age: Nanos(41_000_001),
        fill_book_age: Nanos(7_000_003),
        book_epoch: 2,
        market_family: "up-down 15m".to_owned(),
        closes_at: Timestamp(at.0 + 900_000_000_000),
        fee_rule: "the market's feeSchedule: rate 0.070000, exponent 1".to_owned(),
        maker: false,
        levels,
    };
    let mut ops = vec![
        StoreOp::Intent(Box::new(wish)),
        StoreOp::Insert(Box::new(trade)),
    ];
    if !is_refused && !n.is_multiple_of(101) {
        let update = TradeUpdate {
            id: TradeId { seq, n: 0 },
            at: Timestamp(at.0 + 901_000_000_000),
            status: TradeStatus::Resolved,
            remaining_qty: Qty(0),
            exit_price: Price(1_000_000),
            realized_pnl: Usd(50_000_000 - 23_800_000 - fees.0),
            fees,
            evidence: "chainlink btcusd 65048.07 >= 65012.44".to_owned(),
        };
        ops.push(StoreOp::Update {
            cause: seq,
            update: Box::new(update),
        });
    }
    ops
}

async fn fill(url: &str) -> Outcome<()> {
    let store = Store::open(url).await?;
    let run = RunInfo {
        run_id: RUN,
        source: "bench".to_owned(),
        created: Timestamp(START),
        host_version: "bench".to_owned(),
        config: "{}".to_owned(),
    };
    store.ensure_run(&run).await?;
    let ops: Vec<StoreOp> = (1..=TEMPLATES).flat_map(template).collect();
    store.apply(RUN, Seq(TEMPLATES), &ops).await?;
    store.close().await;
    if url.starts_with("sqlite") {
        let mut c = SqliteConnection::connect(url).await?;
        for table in ["paper_intents", "paper_grades", "paper_trades"] {
            let sql = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = c.fetch_all(AssertSqlSafe(sql)).await?;
            let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
            c.execute(AssertSqlSafe(copies(table, &columns, false)))
                .await?;
        }
        c.execute(AssertSqlSafe(markets(false))).await?;
        c.execute("ANALYZE").await?;
    } else {
        let mut c = PgConnection::connect(url).await?;
        for table in ["paper_intents", "paper_grades", "paper_trades"] {
            let sql = format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'
                 AND table_schema = current_schema() AND is_generated = 'NEVER' ORDER BY ordinal_position"
            );
            let columns = c.fetch_all(AssertSqlSafe(sql)).await?;
            let columns: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
            c.execute(AssertSqlSafe("SET statement_timeout = 0"))
                .await?;
            c.execute(AssertSqlSafe(copies(table, &columns, true)))
                .await?;
        }
        c.execute(AssertSqlSafe(markets(true))).await?;
        c.execute("ANALYZE").await?;
    }
    Ok(())
}

/// Five copies share a market; every copy is 40 s after the one before it.
const COPY_NS: u64 = 40_000_000_000;
const COPIES_A_MARKET: u64 = 5;

/// The rows of a table again, [`COPIES`] − 1 times.
fn copies(table: &str, columns: &[String], postgres: bool) -> String {
    let numbers = format!(
        "WITH RECURSIVE copy(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copy WHERE k < {})",
        COPIES - 1
    );
    let id = match postgres {
        true => "gen_random_uuid()",
        false => {
            "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
             || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
        }
    };
    // Gains and promises between what they were and 97 cents more, without an order.
    let spread = match postgres {
        true => "((t.seq * 7919 + k * 104729) % 97) / 100.0",
        false => "((t.seq * 7919 + k * 104729) % 97) * 10000",
    };
    let market = format!("(k / {COPIES_A_MARKET})");
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => id.to_owned(),
            "seq" | "updated_seq" => format!("t.{column} + k * {TEMPLATES}"),
            "intent_id" if table == "paper_grades" => "i.intent_id".to_owned(),
            "intent_id" => format!("(t.seq + k * {TEMPLATES}) || '.0'"),
            "opportunity_id" => format!("'01234567-' || (t.seq + k * {TEMPLATES}) || '.0'"),
            "created_ns" | "decided_ns" | "arrived_ns" | "closes_ns" | "resolved_ns" => {
                format!("t.{column} + k * {COPY_NS}")
            }
            "market_number" => market.clone(),
            "market_id" => format!("'0x' || {market}"),
            "market_slug" => format!("'btc-updown-15m-' || {market}"),
            "realized_pnl" | "realized_pnl_micro" | "expected_edge" | "expected_edge_micro"
                if table == "paper_trades" =>
            {
                format!("t.{column} + {spread}")
            }
            _ => format!("t.{column}"),
        })
        .collect();
    let columns = columns.join(", ");
    let values = values.join(", ");
    match table {
        // Grades carry no number of their own: each finds that of its wish.
        "paper_grades" => format!(
            "{numbers} INSERT INTO paper_grades ({columns}) SELECT {} FROM paper_grades t
             JOIN paper_intents b ON b.run_id = t.run_id AND b.intent_id = t.intent_id CROSS JOIN copy
             WHERE b.seq <= {TEMPLATES}",
            values.replace("i.intent_id", &format!("(b.seq + k * {TEMPLATES}) || '.0'"))
        ),
        _ => format!(
            "{numbers} INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t CROSS JOIN copy"
        ),
    }
}

fn markets(postgres: bool) -> String {
    let run = match postgres {
        true => format!("'{RUN}'::uuid"),
        false => format!("'{RUN}'"),
    };
    format!(
        "WITH RECURSIVE copy(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM copy WHERE k < {last})
         INSERT INTO paper_markets (run_id, market_number, venue, market_id, market_slug, market_family,
             closes_ns, status, outcomes, evidence, since_ns, updated_seq)
         SELECT {run}, k, 'polymarket', '0x' || k, 'btc-updown-15m-' || k, 'up-down 15m',
             {START} + (k + 1) * {market}, 'settled', '[[0, \"Up\", 1000000], [1, \"Down\", 0]]',
             'chainlink btcusd', {START} + (k + 1) * {market}, 1 FROM copy",
        last = COPIES / COPIES_A_MARKET,
        market = COPY_NS * COPIES_A_MARKET,
    )
}
