//! The list of trades and their stories over HTTP, and the dashboard's side of the database, on SQLite
//! and on a real PostgreSQL.

use crate::services::{Line, Place, Proxy, on_both, service};
use crate::store::{RUN, insert, run, update};
use crate::trades::{bought, refused, settled};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use pm_arb::store::list::{Sort, TradeQuery};
use pm_arb::store::{Store, StoreError, trade_uuid};
use pm_arb::web::app::App;
use pm_arb::web::live::Live;
use pm_arb::web::records::Records;
use pm_arb::web::{api, pages};
use pm_arb_core::effect::{FillLevel, TradeRecord};
use pm_arb_core::ids::{Seq, Timestamp, Venue};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::Family;
use pm_arb_core::units::{Price, Qty, Rounding, Usd};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use uuid::Uuid;

on_both! {
    walking_all_pages_gives_every_row_once
    a_list_is_asked_for_by_url
    a_trade_tells_its_story_and_a_changed_level_does_not_verify
    history_is_filled_while_somebody_looks
    a_search_that_takes_too_long_is_refused_in_words
}

fn router(url: &str) -> Router {
    let app = App::new(
        tokio::sync::watch::channel(None).1,
        url,
        Arc::new(pm_arb::rulebook::built_in().unwrap()),
        std::env::temp_dir(),
        Live::new(tokio::sync::watch::channel(false).1),
    );
    let (v1, _) = api::trades::routes().split_for_parts();
    Router::new()
        .nest("/api/v1", v1)
        .merge(pages::trades::routes())
        .with_state(app)
}

async fn get(router: &Router, url: &str) -> (StatusCode, String) {
    let request = Request::get(url).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 64 << 20)
        .await
        .unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn json(router: &Router, url: &str) -> Value {
    let (status, body) = get(router, url).await;
    assert_eq!(status, StatusCode::OK, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Rows of every kind: fills and refusals, of four strategies and nine markets, some at the same moment,
/// with the same gains and promises.
async fn filled(store: &Store, rows: u64) {
    let mut ops = Vec::new();
    for n in 1..=rows {
        let seq = n;
        let reasons = [Reason::Capital, Reason::StaleBook, Reason::Duplicate];
        let base = match n % 3 {
            0 => refused(seq, 0, reasons[(n / 3 % 3) as usize], n % 2 == 0),
            _ => bought(seq, 0),
        };
        let market = n % 9;
        ops.push(insert(TradeRecord {
            // Four rows a moment.
            at: Timestamp(1_790_000_000_000_000_000 + n / 4 * 1_000_000_000),
            strategy_name: format!("strategy-{}", n % 4),
            market_native_id: format!("0xmarket{market}"),
            market_slug: format!("btc-{market}"),
            expected_edge: Usd((n % 7) as i64 * 10_000 - 20_000),
            kind: [OpportunityKind::OracleLag, OpportunityKind::Mispricing][(n % 2) as usize],
            buy: n % 5 != 0,
            ..base
        }));
        if n % 3 == 1 {
            ops.push(update(
                seq,
                settled(seq, 0, (n % 11) as i64 * 100_000 - 500_000),
            ));
        }
    }
    for part in ops.chunks(1_000) {
        store.apply(RUN, Seq(rows), part).await.unwrap();
    }
}

async fn sql(place: &Place, sql: &str) {
    if place.is_postgres() {
        let mut c = PgConnection::connect(&place.url).await.unwrap();
        c.execute(AssertSqlSafe(sql)).await.unwrap();
    } else {
        let mut c = SqliteConnection::connect(&place.url).await.unwrap();
        c.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

async fn walking_all_pages_gives_every_row_once(place: &Place, store: Store) {
    const ROWS: u64 = 3_000;
    filled(&store, ROWS).await;
    for market in 0..9 {
        sql(
            place,
            &format!(
                "INSERT INTO paper_markets (run_id, market_number, venue, market_id, market_slug,
                     market_family, closes_ns, status, outcomes, evidence, since_ns, updated_seq)
                 VALUES ('{RUN}', {market}, 'polymarket', '0xmarket{market}', 'btc-{market}', '', {market},
                     'open', '[]', '', 1, 1)"
            ),
        )
        .await;
    }
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        TradeQuery::default(),
        TradeQuery {
            status: text("resolved"),
            ..Default::default()
        },
        TradeQuery {
            status: text("rejected"),
            reason: text("CAPITAL"),
            ..Default::default()
        },
        TradeQuery {
            status: text("open"),
            reason: text("CAPITAL"),
            ..Default::default()
        },
        TradeQuery {
            strategy: text("strategy-2"),
            side: text("sell"),
            ..Default::default()
        },
        TradeQuery {
            market: text("BTC-"),
            ..Default::default()
        },
        TradeQuery {
            market: text("0xmarket3"),
            kind: text("mispricing"),
            ..Default::default()
        },
        TradeQuery {
            market: text("'; DROP TABLE paper_trades; --%_"),
            ..Default::default()
        },
        TradeQuery {
            run: Some(RUN),
            venue: text("polymarket"),
            ..Default::default()
        },
        TradeQuery {
            run: Some(Uuid::from_u128(1)),
            ..Default::default()
        },
        TradeQuery {
            min_pnl: Some(Usd(-100_000)),
            max_pnl: Some(Usd(300_000)),
            since: Some(Timestamp(1_790_000_100_000_000_000)),
            until: Some(Timestamp(1_790_000_500_000_000_000)),
            ..Default::default()
        },
    ];
    let mut found = Vec::new();
    for filter in filters {
        for sort in Sort::ALL {
            for ascending in [false, true] {
                let query = TradeQuery {
                    sort,
                    ascending,
                    ..filter.clone()
                };
                found.push(walk(&store, &query).await);
            }
        }
    }
    let of_filter = |n: usize| found[n * 8];
    // Sorted by gain, only rows with one.
    assert_eq!((of_filter(0), found[2]), (3_000, 1_000));
    let sizes: Vec<usize> = (0..11).map(of_filter).collect();
    let by_hand = |keep: &dyn Fn(u64) -> bool| (1..=ROWS).filter(|n| keep(*n)).count();
    assert_eq!(
        sizes,
        [
            3_000,
            1_000,
            by_hand(&|n| n % 3 == 0 && n / 3 % 3 == 0),
            0,
            by_hand(&|n| n % 4 == 2 && n % 5 == 0),
            3_000,
            by_hand(&|n| n % 9 == 3 && n % 2 == 1),
            0,
            3_000,
            0,
            by_hand(&|n| n % 3 == 1 && (4..=8).contains(&(n % 11)) && (400..2_000).contains(&n)),
        ]
    );
    assert_eq!(store.count_of(&TradeQuery::default()).await.unwrap(), 3_000);
}

/// Forth and back through the list in pages of an odd size; how many rows it has.
async fn walk(store: &Store, query: &TradeQuery) -> usize {
    const LIMIT: usize = 271;
    let mut forth = Vec::new();
    let mut page = store.page_of(query, None, LIMIT).await.unwrap();
    assert_eq!(page.previous, None);
    let mut pages = 1;
    loop {
        forth.extend(page.rows.iter().map(|t| t.id));
        let Some(next) = page.next else { break };
        page = store.page_of(query, Some(next), LIMIT).await.unwrap();
        assert!(page.previous.is_some());
        pages += 1;
        assert!(pages < 20, "{query:?}");
    }
    let once: BTreeSet<Uuid> = forth.iter().copied().collect();
    assert_eq!(once.len(), forth.len(), "{query:?}");
    // The same in one piece, and in the order it should be.
    let whole = store.page_of(query, None, 10_000).await.unwrap().rows;
    assert_eq!(whole.iter().map(|t| t.id).collect::<Vec<_>>(), forth);
    let key = |t: &pm_arb::store::view::TradeView| match query.sort {
        Sort::Time => t.created.0 as i64,
        Sort::Pnl => t.realized_pnl.unwrap().0,
        Sort::Edge => t.expected_edge.0,
        Sort::Quantity => t.quantity.0,
    };
    assert!(whole.is_sorted_by(|a, b| {
        let (a, b) = ((key(a), a.id), (key(b), b.id));
        if query.ascending { a < b } else { a > b }
    }));
    let mut back: Vec<Uuid> = page.rows.iter().map(|t| t.id).collect();
    while let Some(previous) = page.previous {
        page = store.page_of(query, Some(previous), LIMIT).await.unwrap();
        assert!(page.next.is_some());
        let rows: Vec<Uuid> = page.rows.iter().map(|t| t.id).collect();
        back.splice(0..0, rows);
    }
    assert_eq!(back, forth, "{query:?}");
    if query.sort != Sort::Pnl {
        let count = store.count_of(query).await.unwrap();
        assert_eq!(count, forth.len() as u64, "{query:?}");
    }
    forth.len()
}

async fn a_list_is_asked_for_by_url(place: &Place, store: Store) {
    let router = router(&place.url);
    let (status, page) = get(&router, "/trades").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("No trade and no refusal is stored yet"),
        "{page}"
    );
    filled(&store, 1_200).await;

    let first = json(
        &router,
        "/api/v1/trades?limit=100&sort=pnl&order=asc&status=resolved",
    )
    .await;
    assert_eq!(first["trades"].as_array().unwrap().len(), 100);
    assert_eq!(first["previous"], Value::Null);
    let next = first["next"].as_str().unwrap();
    let url = format!("/api/v1/trades?limit=100&sort=pnl&order=asc&status=resolved&place={next}");
    let second = json(&router, &url).await;
    assert_ne!(second["trades"][0]["id"], first["trades"][0]["id"]);
    let previous = second["previous"].as_str().unwrap();
    let back = json(&router, &url.replace(next, previous)).await;
    assert_eq!(back["trades"], first["trades"]);

    let (status, csv) = get(&router, "/api/v1/trades?format=csv").await;
    assert_eq!(status, StatusCode::OK);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let ids: BTreeSet<String> = rows.records().map(|r| r.unwrap()[0].to_owned()).collect();
    assert_eq!(ids.len(), 1_200, "more than one part, each row once");
    let (_, few) = get(&router, "/api/v1/trades?format=csv&limit=7&reason=CAPITAL").await;
    assert_eq!(few.lines().count(), 8);

    for (url, word) in [
        ("/api/v1/trades?status=gone", "status"),
        ("/api/v1/trades?place=nowhere", "place"),
        ("/api/v1/trades?limit=0", "limit"),
        ("/api/v1/trades?run=7", "run"),
        ("/api/v1/trades?min_pnl=much", "min_pnl"),
        ("/api/v1/trades?since=once", "since"),
        ("/api/v1/trades?format=xml", "format"),
        ("/trades?order=sideways", "order"),
    ] {
        let (status, body) = get(&router, url).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{url}");
        assert!(
            body.contains(&format!("the filter {word} can not be used")),
            "{url}: {body}"
        );
    }

    let (_, page) = get(&router, "/trades").await;
    for part in [
        "1,200 rows",
        "strategy-3",
        "?reason=CAPITAL",
        "After →",
        "format=csv",
        "aria-sort=\"descending\"",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    assert!(page.len() < 200_000, "{} bytes", page.len());
    let (_, page) = get(
        &router,
        "/trades?market=%3Cscript%3E&strategy=%22%3E%3Cb%3E",
    )
    .await;
    assert!(
        page.contains("No trade matches") && !page.contains("<script>") && !page.contains("\"><b>")
    );
}

/// A purchase over two levels with the fees of the rulebook, as the executor would have made it.
fn two_levels() -> TradeRecord {
    let rules = pm_arb::rulebook::built_in().unwrap();
    let base = bought(3, 0);
    let told = rules.taker_fee_on(Venue::Polymarket, Family::Crypto, base.decided_at);
    let level = |price: i64, qty: i64| FillLevel {
        price: Price(price),
        qty: Qty(qty),
        fee: told.says.unwrap().fee(Price(price), Qty(qty)).unwrap(),
    };
    let levels = vec![level(470_000, 2_000_000), level(480_000, 3_000_000)];
    TradeRecord {
        price: Price(476_000),
        cost: Usd(levels
            .iter()
            .map(|l| l.price.times(l.qty, Rounding::Up).unwrap().0)
            .sum()),
        fees: Usd(levels.iter().map(|l| l.fee.0).sum()),
        fee_rule: told.rule,
        levels,
        ..base
    }
}

async fn a_trade_tells_its_story_and_a_changed_level_does_not_verify(place: &Place, store: Store) {
    let no = refused(4, 0, Reason::StaleBook, true);
    store
        .apply(RUN, Seq(4), &[insert(two_levels()), insert(no.clone())])
        .await
        .unwrap();
    let router = router(&place.url);
    let id = trade_uuid(RUN, bought(3, 0).id);
    let url = format!("/trades/{id}");
    let (status, page) = get(&router, &url).await;
    assert_eq!(status, StatusCode::OK);
    for part in [
        ">0.47<",
        ">0.48<",
        "taken 2",
        "cut to 0.00001",
        "polymarket crypto taker fee from",
        "Journal record",
        &"ab".repeat(32),
    ] {
        assert!(page.contains(part), "{part:?} is missing: {page}");
    }
    assert!(page.contains(">verifies<") && !page.contains("does not verify"));
    let api = format!("/api/v1/trades/{id}");
    assert_eq!(json(&router, &api).await["recheck"]["verifies"], true);

    // A fee that is a millionth of a dollar off.
    let fee = two_levels().levels[1].fee.0;
    let change = format!(
        "UPDATE paper_trades SET levels = replace(levels, '{fee}', '{}') WHERE seq = 3",
        fee + 1
    );
    sql(place, &change).await;
    let (_, page) = get(&router, &url).await;
    assert!(
        page.contains("does not verify") && page.contains(" by 0.000001"),
        "{page}"
    );
    assert_eq!(json(&router, &api).await["recheck"]["verifies"], false);

    let short = &id.to_string()[..8];
    let (status, _) = get(&router, &format!("/trades/{short}")).await;
    assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
    let (_, page) = get(&router, &format!("/trades/{}", trade_uuid(RUN, no.id))).await;
    for part in ["Refused by risk", "5000 ms", "7310 ms", "STALE_BOOK"] {
        assert!(page.contains(part), "{part:?} is missing: {page}");
    }
    for unknown in [
        "ffffffff",
        &Uuid::from_u128(9).to_string(),
        "%3Cscript%3E",
        &"a".repeat(60),
    ] {
        let (status, page) = get(&router, &format!("/trades/{unknown}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
        assert!(page.contains("No such trade") && !page.contains("<script>"));
        let (status, _) = get(&router, &format!("/api/v1/trades/{unknown}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{unknown}");
    }
}

async fn history_is_filled_while_somebody_looks(place: &Place, store: Store) {
    filled(&store, 60).await;
    let records = Records::new(&place.url);
    let history = records.counted(Duration::from_secs(60)).await.unwrap();
    assert_eq!(records.failed(), None);
    assert_eq!(history.newest.len(), 20);
    assert!(
        history
            .newest
            .is_sorted_by_key(|t| std::cmp::Reverse(t.created))
    );
    let all = history.all.as_ref().unwrap();
    assert_eq!(all.summary.total_trades, 40);
    assert_eq!(
        history.day.as_ref().unwrap().summary.total_trades,
        40,
        "stored today"
    );
    let refused: u64 = history.denials.iter().map(|d| d.legs).sum();
    assert_eq!(refused, 20);
    // A row that comes later is seen without asking for anything but the history.
    store
        .apply(RUN, Seq(61), &[insert(bought(61, 0))])
        .await
        .unwrap();
    let id = trade_uuid(RUN, bought(61, 0).id);
    let seen = async {
        while records.history().unwrap().newest.iter().all(|t| t.id != id) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen)
        .await
        .unwrap();
    let (status, report) = get(&router(&place.url), "/api/v1/report").await;
    assert_eq!(status, StatusCode::OK);
    assert!(report.contains("pm-arb.report/1"));
}

async fn a_search_that_takes_too_long_is_refused_in_words(place: &Place, store: Store) {
    filled(&store, 2_000).await;
    let patient = Store::open_read_only_within(&place.url, Duration::from_secs(60))
        .await
        .unwrap();
    patient.count_of(&TradeQuery::default()).await.unwrap();
    // A millisecond is too short for 2,000 rows with everything that is known of them.
    let hasty = Store::open_read_only_within(&place.url, Duration::from_millis(1))
        .await
        .unwrap();
    let query = TradeQuery {
        sort: Sort::Quantity,
        ..TradeQuery::default()
    };
    let mut refused = None;
    for _ in 0..200 {
        match hasty.page_of(&query, None, 10_000).await {
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let error = refused.expect("200 searches within a millisecond each");
    assert!(matches!(error, StoreError::TooSlow { .. }), "{error:?}");
    assert!(error.to_string().contains("narrow it by time"), "{error}");
    // The connection is as good as before.
    patient.count_of(&query).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_and_comes_back_needs_nobodys_help() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("later.sqlite").display());
    let records = Records::new(&url);
    assert!(records.counted(Duration::from_secs(2)).await.is_none());
    let why = records.failed().unwrap();
    assert!(why.contains("can not open the database"), "{why}");
    let (status, page) = get(&router(&url), "/trades").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("can not open the database"), "{page}");
    let store = Store::open(&url).await.unwrap();
    store.ensure_run(&run(RUN)).await.unwrap();
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    let history = records.counted(Duration::from_secs(60)).await.unwrap();
    assert_eq!(history.newest.len(), 1);
    assert_eq!(records.failed(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_line_to_postgresql_is_told_and_mended() {
    let test = "web_trades::a_cut_line_to_postgresql_is_told_and_mended";
    let Some(place) = Place::postgres(test).await else {
        return;
    };
    let store = crate::store::opened(&place).await;
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    let server = service("TEST_DATABASE_URL", test).unwrap();
    let (proxy, through) = Proxy::before_postgres(&server).await;
    let url = place.url.replacen(&server, &through, 1);
    let records = Records::new(&url);
    assert!(records.counted(Duration::from_secs(60)).await.is_some());
    proxy.set(Line::Cut);
    let until = async |done: &dyn Fn() -> bool| {
        let wait = async {
            while !done() {
                let _ = records.history();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .unwrap();
    };
    until(&|| records.failed().is_some()).await;
    let why = records.failed().unwrap();
    assert!(
        why.contains("can not read") && !why.contains("secret"),
        "{why}"
    );
    assert_eq!(
        records.history().unwrap().newest.len(),
        1,
        "what was known stays, with its age"
    );
    proxy.set(Line::Up);
    until(&|| records.failed().is_none()).await;
    store.close().await;
    place.remove().await;
}
