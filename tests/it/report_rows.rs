//! What reports, lists and pages say of a small database whose every figure was worked out by hand, on
//! SQLite and on PostgreSQL.
//!
//! | wish | what | naive | mid | honest |
//! |---|---|---|---|---|
//! | 1 | buy Up, market 7 paid 1 | 6.5 × (1 − .47) = 3.445 | 6.5 × (1 − .465) − .113 = 3.3645 | 5 − 2.40 − .08736 = 2.51264 |
//! | 2 | buy Down, refused at the book | −6.5 × .5 = −3.25 | no middle: 0 | 0 |
//! | 3 | sell 2 Up | 1.80 − 2 = −.20 | 1.81 − .01 − 2 = −.20 | on the row of the purchase |
//! | 4 | buy Up, market 8 waits | | | |
//! | 5 | denied by risk | | | |
//! | 6 | buy Up, market 9 void, pays .50 | 3.25 − 3.055 = .195 | 3.25 − 3.0225 − .113 = .1145 | 2.5 − 2.40 − .08736 = .01264 |

mod commands;

use crate::services::{Place, on_both};
use crate::store::{RUN, insert, update};
use crate::support::{json, run, stdout};
use crate::trades::{bought, refused, settled};
use commands::{one_trade_whole, wrong_words_are_answered_with_help};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use pm_arb::report::{By, Period, Report, Style, gather, render};
use pm_arb::store::analysis::Filter;
use pm_arb::store::{Store, StoreOp, trade_uuid};
use pm_arb_core::effect::TradeRecord;
use pm_arb_core::ids::{IntentId, MarketId, Seq, Timestamp};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Qty, Usd};
use serde_json::{Value, json as value};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

on_both! {
    three_executors_as_worked_out_by_hand
    forecast_verdict_markets_and_counts
    a_taken_back_outcome_is_told_with_both_words
    breakdowns_put_every_trade_in_its_place
    filters_leave_out_what_they_should
    the_command_line_tells_the_same
    rows_leave_as_csv_json_and_parquet
    one_trade_whole
    wrong_words_are_answered_with_help
}

/// SQL for either database: `#name` a money column, `!n` an amount in millionths, `~` a hash.
async fn sql(place: &Place, template: &str) {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['#', '!', '~']) {
        let (before, marked) = rest.split_at(at);
        let (mark, after) = marked.split_at(1);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let (word, tail) = after.split_at(after.find(|c| !word(c)).unwrap_or(after.len()));
        text.push_str(before);
        text.push_str(&match (mark, place.is_postgres()) {
            ("#", true) => word.to_owned(),
            ("#", false) => format!("{word}_micro"),
            ("!", true) => format!("({word}::numeric / 1000000)"),
            ("!", false) => word.to_owned(),
            (_, true) => format!("'\\x00'::bytea{word}"),
            (_, false) => format!("X'00'{word}"),
        });
        rest = tail;
    }
    text.push_str(rest);
    if place.is_postgres() {
        let mut c = PgConnection::connect(&place.url).await.unwrap();
        c.execute(AssertSqlSafe(text)).await.unwrap();
    } else {
        let mut c = SqliteConnection::connect(&place.url).await.unwrap();
        c.execute(AssertSqlSafe(text)).await.unwrap();
    }
}

fn of_market(number: u32, trade: TradeRecord) -> TradeRecord {
    TradeRecord {
        market: MarketId(number),
        market_native_id: format!("0xmarket{number}"),
        market_slug: format!("btc-{number}"),
        ..trade
    }
}

fn intent_id(seq: u64) -> String {
    IntentId {
        seq: Seq(seq),
        n: 0,
    }
    .to_string()
}

/// The wish of record `seq`; `verdict` are the columns of approval or denial.
async fn wish(place: &Place, seq: u64, verdict: &str) {
    sql(
        place,
        &format!(
            "INSERT INTO paper_intents (run_id, intent_id, seq, created_ns, strategy_id, opportunity_id,
                 opportunity_type, opportunity, time_in_force, #requested_quantity, #approved_quantity,
                 rejection_reason, rejection_limit, rejection_observed, #expected_edge, payload_hash)
             VALUES ('{RUN}', '{}', {seq}, {}, 'oracle-sniper', 'x', 'oracle_lag', NULL, 'fak', !6500000,
                 {verdict}, !31250, ~)",
            intent_id(seq),
            bought(seq, 0).decided_at.0
        ),
    )
    .await;
}

/// A leg: side, instrument, and (quantity, price, value, fee) of naive and mid.
async fn graded(place: &Place, seq: u64, market: u32, side: &str, instrument: u32, grades: &str) {
    sql(
        place,
        &format!(
            "INSERT INTO paper_grades (run_id, intent_id, leg, market_number, market_id, instrument_number,
                 outcome, side, #limit_price, #bid_price, #bid_quantity, #ask_price, #ask_quantity,
                 #naive_quantity, #naive_price, #naive_value, #naive_fee,
                 #mid_quantity, #mid_price, #mid_value, #mid_fee)
             VALUES ('{RUN}', '{}', 0, {market}, 'm', {instrument}, 'Up', '{side}', !480000,
                 !460000, !30000000, !470000, !7000000, {grades})",
            intent_id(seq)
        ),
    )
    .await;
}

async fn market(place: &Place, number: u32, status: &str, payouts: &str, evidence: &str) {
    sql(
        place,
        &format!(
            "INSERT INTO paper_markets (run_id, market_number, venue, market_id, market_slug,
                 market_family, closes_ns, status, outcomes, evidence, since_ns, updated_seq)
             VALUES ('{RUN}', {number}, 'polymarket', '0xmarket{number}', 'btc-{number}', 'up-down 15m',
                 1790000900000000000, '{status}', '{payouts}', '{evidence}', 1790000901000000000, 1)"
        ),
    )
    .await;
}

const WHOLE: &str = "!6500000, !470000, !3055000, !0, !6500000, !465000, !3022500, !113000";
const APPROVED: &str = "!6500000, NULL, NULL, NULL";

async fn world(place: &Place, store: &Store) {
    let ops: Vec<StoreOp> = vec![
        insert(of_market(7, bought(1, 0))),
        update(7, settled(1, 0, 2_512_640)),
        insert(of_market(7, refused(2, 0, Reason::StaleBook, false))),
        insert(of_market(8, bought(4, 0))),
        insert(of_market(7, refused(5, 0, Reason::Capital, true))),
        insert(of_market(9, bought(6, 0))),
        update(8, settled(6, 0, 12_640)),
    ];
    store.apply(RUN, Seq(8), &ops).await.unwrap();
    for seq in [1, 2, 3, 4, 6] {
        wish(place, seq, APPROVED).await;
    }
    wish(place, 5, "NULL, 'CAPITAL', '$100', '$101'").await;
    graded(place, 1, 7, "buy", 14, WHOLE).await;
    let no_mid = "!6500000, !500000, !3250000, !0, NULL, NULL, NULL, NULL";
    graded(place, 2, 7, "buy", 15, no_mid).await;
    let sale = "!2000000, !900000, !1800000, !0, !2000000, !905000, !1810000, !10000";
    graded(place, 3, 7, "sell", 14, sale).await;
    graded(place, 4, 8, "buy", 14, WHOLE).await;
    let denied = "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";
    graded(place, 5, 7, "buy", 14, denied).await;
    graded(place, 6, 9, "buy", 14, WHOLE).await;
    let paid = r#"[[14, "Up", 1000000], [15, "Down", 0]]"#;
    market(place, 7, "settled", paid, "chainlink says Up").await;
    let waits = r#"[[14, "Up", null], [15, "Down", null]]"#;
    market(place, 8, "pending", waits, "no tick at the closing second").await;
    let half = r#"[[14, "Up", 500000], [15, "Down", 500000]]"#;
    market(place, 9, "void", half, "the venue voided it").await;
    let decided = bought(1, 0).decided_at.0;
    for (seq, closes, family, tape) in [
        (1, decided + 45_000_000_000, "up-down 15m", "'confirmed'"),
        (4, decided + 3_600_000_000_000, "above", "NULL"),
        (6, 0, "", "'not_seen'"),
    ] {
        sql(
            place,
            &format!(
                "UPDATE paper_trades SET closes_ns = {closes}, market_family = '{family}', tape = {tape},
                     fee_rule = 'rulebook: crypto from 2026-03-30',
                     levels = '[[470000, 2000000, 34874], [486667, 3000000, 52486]]'
                 WHERE seq = {seq}"
            ),
        )
        .await;
    }
    sql(
        place,
        &format!(
            "INSERT INTO paper_counts (run_id, kind, name, count, updated_seq) VALUES
                 ('{RUN}', 'input_refused', 'UNKNOWN_MARKET', 3, 8),
                 ('{RUN}', 'no_opportunity', 'ONE_BOOK', 100, 8),
                 ('{RUN}', 'no_opportunity', 'STALE_BOOK', 200, 8),
                 ('{RUN}', 'silence', 'chainlink btcusd', 2, 8)"
        ),
    )
    .await;
}

async fn report(store: &Store, by: Option<By>) -> Report {
    let period = Period::since(Timestamp(0), Timestamp(1_790_000_000_123_456_789));
    gather(store, Filter::default(), period, by).await.unwrap()
}

async fn three_executors_as_worked_out_by_hand(place: &Place, store: Store) {
    world(place, &store).await;
    let report = report(&store, None).await;
    let [sniper] = report.figures.strategies.as_slice() else {
        panic!("{:?}", report.figures.strategies);
    };
    let e = &sniper.execution;
    assert_eq!((e.wishes, e.waiting, e.without_mid), (4, 1, 1));
    let pnl = e.made.map(|made| made.pnl);
    assert_eq!(pnl, [Usd(190_000), Usd(3_279_000), Usd(2_525_280)]);
    let shares = e.made.map(|made| made.qty);
    assert_eq!(shares, [Qty(21_500_000), Qty(15_000_000), Qty(10_000_000)]);
    assert_eq!(e.ghost_gap(), Usd(-2_335_280));
    // −2.33528 ÷ 21.5 = −0.1086176…
    assert_eq!(e.ghost_gap_per_share(), Some(Usd(-108_617)));
    let tape = (e.tape_confirmed, e.tape_not_seen, e.tape_unknown);
    assert_eq!(tape, (1, 1, 1));
}

async fn forecast_verdict_markets_and_counts(place: &Place, store: Store) {
    world(place, &store).await;
    let report = report(&store, None).await;
    let sniper = &report.figures.strategies[0];
    let f = sniper.forecast.as_ref().unwrap();
    assert_eq!((f.intents, f.shares), (2, Qty(10_000_000)));
    assert_eq!((f.claimed, f.realised), (Usd(31_250), Usd(252_528)));
    // Two markets: drawn again, both draws may be the same one.
    let interval = f.interval.unwrap();
    assert_eq!((interval.low, interval.high), (Usd(2_528), Usd(502_528)));
    assert_eq!(
        sniper.verdict.why,
        "no verdict yet: 2 of 30 ended trades, 1 of 7 days, 2 of 10 independent markets"
    );
    assert_eq!(sniper.verdict.pnl, report.summary.realized_pnl);
    let states: Vec<(&str, Usd)> = report
        .markets
        .iter()
        .map(|m| (m.status.as_str(), m.locked))
        .collect();
    assert_eq!(
        states,
        [
            ("settled", Usd(0)),
            ("pending", Usd(2_400_000)),
            ("void", Usd(0))
        ]
    );
    let text = render(&report, Style::PLAIN);
    for part in [
        "  oracle-sniper: TOO EARLY\n",
        "pending: btc-8 since 2026-09-21 14:28 UTC, $2.40 locked\n    no tick at the closing second\n",
        "  Inputs refused: 3\n    UNKNOWN_MARKET           3\n",
        "  Looks that led to none: 300\n    STALE_BOOK         200\n    ONE_BOOK           100\n",
        "  Silences of a minute and more: 2\n    chainlink btcusd           2\n",
        "Tape: 50.0% of 2 fills confirmed by a real trade within a second (1/2), 1 not known\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let widest = text.lines().map(|l| l.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns:\n{text}");
}

async fn a_taken_back_outcome_is_told_with_both_words(place: &Place, store: Store) {
    world(place, &store).await;
    sql(
        place,
        "UPDATE paper_markets SET status = 'contradicted',
             evidence = 'booked because Up; since then Down' WHERE market_number = 7",
    )
    .await;
    let text = render(&report(&store, None).await, Style::PLAIN);
    for part in [
        "\n  contradicted        1   $0.00\n",
        "\n  contradicted: btc-7 since 2026-09-21 14:28 UTC, $0.00 locked\n    booked because Up; since then Down\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

async fn breakdowns_put_every_trade_in_its_place(place: &Place, store: Store) {
    world(place, &store).await;
    type Expected = &'static [(&'static str, u64, u64, Usd)];
    const GAIN: Usd = Usd(2_512_640);
    const HALF: Usd = Usd(12_640);
    const BOTH: Usd = Usd(2_525_280);
    let cases: [(By, Expected); 7] = [
        (By::Strategy, &[("oracle-sniper", 2, 2, BOTH)]),
        (By::Type, &[("oracle_lag", 2, 2, BOTH)]),
        (
            By::Family,
            &[("up-down 15m", 1, 1, GAIN), ("unknown", 1, 1, HALF)],
        ),
        (By::Hour, &[("14:00", 2, 2, BOTH)]),
        (
            By::TimeLeft,
            &[("30 to 60 s", 1, 1, GAIN), ("unknown", 1, 1, HALF)],
        ),
        (
            By::Market,
            &[
                ("btc-7 polymarket 0xmarket7", 1, 1, GAIN),
                ("btc-9 polymarket 0xmarket9", 1, 1, HALF),
            ],
        ),
        (By::Day, &[("2026-09-21", 2, 2, BOTH)]),
    ];
    for (by, expected) in cases {
        let (_, lines) = report(&store, Some(by)).await.figures.breakdown.unwrap();
        let lines: Vec<(&str, u64, u64, Usd)> = lines
            .iter()
            .map(|l| (l.name.as_str(), l.trades, l.wins, l.pnl))
            .collect();
        assert_eq!(lines, expected, "{by:?}");
    }
}

async fn filters_leave_out_what_they_should(place: &Place, store: Store) {
    world(place, &store).await;
    let period = Period::since(Timestamp(0), Timestamp(1));
    let of = async |filter: Filter| gather(&store, filter, period, None).await.unwrap();
    let all = of(Filter::default()).await;
    assert_eq!(all.summary.total_trades, 3);
    for nothing in [
        Filter {
            strategy: Some("nobody".into()),
            ..Filter::default()
        },
        Filter {
            run_id: Some(uuid::Uuid::nil()),
            ..Filter::default()
        },
        Filter {
            since: Timestamp(i64::MAX as u64),
            ..Filter::default()
        },
    ] {
        let report = of(nothing.clone()).await;
        assert_eq!(report.summary.total_trades, 0, "{nothing:?}");
        assert!(report.figures.strategies.is_empty(), "{nothing:?}");
        // Money that is locked is told whenever it was locked.
        let held = usize::from(nothing.since.0 > 0);
        assert_eq!(report.markets.len(), held, "{nothing:?}");
        assert!(render(&report, Style::PLAIN).contains("Nothing was traded"));
    }
    let own = of(Filter {
        run_id: Some(RUN),
        strategy: Some("oracle-sniper".into()),
        ..Filter::default()
    })
    .await;
    assert_eq!(own.summary, all.summary);
    assert_eq!(own.figures, all.figures);
}

async fn the_command_line_tells_the_same(place: &Place, store: Store) {
    world(place, &store).await;
    let ask = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--database-url", &place.url]);
        run(&all)
    };
    let report = json(&ask(&["report", "--json", "--by", "family"]));
    assert_eq!(report["schema"], "pm-arb.report/1");
    assert_eq!(report["total_trades"], 3);
    let sniper = &report["strategies"][0];
    assert_eq!(sniper["execution"]["naive"]["pnl"], "0.19");
    assert_eq!(sniper["execution"]["ghost_gap"], "-2.33528");
    assert_eq!(sniper["execution"]["ghost_gap_per_share"], "-0.108617");
    assert_eq!(sniper["verdict"]["ruling"], "too early");
    assert_eq!(sniper["forecast"]["realised_per_share"], "0.252528");
    assert_eq!(
        report["breakdown"]["lines"][0],
        value!({"name": "up-down 15m", "trades": 1, "wins": 1, "win_rate": "1.0000",
                "pnl": "2.51264", "interval": null})
    );
    assert_eq!(report["markets"]["states"]["pending"]["locked"], "2.40");
    assert_eq!(report["counts"]["input_refused"]["UNKNOWN_MARKET"], 3);
    for run_words in ["latest", "01234567-89", &RUN.to_string().to_uppercase()] {
        let of_run = json(&ask(&["report", "--run", run_words, "--format", "json"]));
        assert_eq!(of_run["run_id"], RUN.to_string(), "{run_words}");
        assert_eq!(of_run["total_trades"], 3);
    }
    // Stored now, although made in September: the last hours hold it.
    let text = stdout(&ask(&[
        "report",
        "--since",
        "2h",
        "--strategy",
        "oracle-sniper",
    ]));
    assert!(text.contains("Strategy: oracle-sniper"), "{text}");
    assert!(text.contains("Realized      +$2.52"), "{text}");
    assert!(!text.contains('\u{1b}'), "a pipe gets no colours: {text}");
    let list = stdout(&ask(&["trades", "--limit", "2"]));
    assert_eq!(list.lines().count(), 5, "{list}");
    let listed = json(&ask(&[
        "trades", "--status", "rejected", "--format", "json",
    ]));
    let reasons: Vec<&Value> = listed["trades"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["reason"])
        .collect();
    assert_eq!(reasons, ["CAPITAL", "STALE_BOOK"]);
}

async fn rows_leave_as_csv_json_and_parquet(place: &Place, store: Store) {
    world(place, &store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (csv, parquet) = (file("rows.csv"), file("rows.parquet"));
    for (format, path) in [("csv", &csv), ("parquet", &parquet)] {
        let args = [
            "report",
            "--format",
            format,
            "--out",
            path,
            "--database-url",
            &place.url,
        ];
        assert_eq!(stdout(&run(&args)), "");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no part files are left: {left:?}");
    let mut reader = csv::Reader::from_path(&csv).unwrap();
    let heads: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5);
    let cell = |row: usize, name: &str| {
        let column = heads.iter().position(|h| h == name).unwrap();
        rows[row].get(column).unwrap().to_owned()
    };
    assert_eq!(cell(0, "realized_pnl"), "2.51264");
    assert_eq!(cell(0, "created_at"), "2026-09-21T14:13:21.123456789Z");
    assert_eq!(cell(0, "leg_naive_value"), "3.055");
    assert_eq!(cell(1, "leg_mid_value"), "");
    assert_eq!(cell(1, "reason"), "STALE_BOOK");
    assert_eq!(cell(2, "closes_at"), "2026-09-21T15:13:20.823456789Z");
    assert_eq!(cell(4, "closes_at"), "");

    let reader = SerializedFileReader::new(std::fs::File::open(&parquet).unwrap()).unwrap();
    let rows: Vec<_> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 5);
    let field = |row: usize, name: &str| {
        let mut columns = rows[row].get_column_iter();
        columns.find(|(head, _)| *head == name).unwrap().1.clone()
    };
    assert_eq!(field(0, "realized_pnl").to_string(), "2.512640");
    assert!(matches!(field(0, "realized_pnl"), Field::Decimal(_)));
    assert_eq!(field(2, "realized_pnl"), Field::Null);
    assert_eq!(field(1, "reason"), Field::Str("STALE_BOOK".into()));
    assert_eq!(field(0, "maker"), Field::Bool(false));
    assert_eq!(field(0, "seq"), Field::Long(1));
    let names: Vec<&String> = rows[0].get_column_iter().map(|(name, _)| name).collect();
    assert_eq!(names, heads.iter().collect::<Vec<_>>());
    // The same rows without a file, through a pipe.
    let args = ["report", "--format", "csv", "--database-url", &place.url];
    assert_eq!(stdout(&run(&args)), std::fs::read_to_string(&csv).unwrap());
}
