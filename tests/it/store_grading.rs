//! What stands beside the trades, the same suite on SQLite and on a real PostgreSQL: wishes and their
//! grades, markets, denials without rows, counts, the word of the tape.

use crate::services::{Place, on_both};
use crate::store::{RUN, insert, row};
use crate::trades::{bought, refused};
use pm_arb::store::{Applied, CountKind, Levels, Store, StoreError, StoreOp, trade_uuid};
use pm_arb_core::effect::{
    Corroboration, DenialCount, Effect, FillLevel, Graded, IntentLegRecord, IntentRecord,
    MarketRecord, Rejection, Tape,
};
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, Seq, StrategyId, Timestamp, TradeId,
    Venue,
};
use pm_arb_core::market::MarketStatus;
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::reason::Reason;
use pm_arb_core::report::Tally;
use pm_arb_core::units::{Price, Qty, Usd};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

on_both! {
    a_wish_and_its_grades_come_back
    a_fill_keeps_the_levels_it_walked_and_its_rule
    everything_may_be_sent_again
    another_wish_under_the_same_number_is_refused_and_nothing_of_the_group_kept
    older_states_never_overwrite_newer_ones
    the_tape_speaks_once_of_fills_only
    denials_without_rows_are_in_the_summary
    names_that_a_venue_should_not_send_are_kept_readable
}

/// One text a row, of the named columns of `table`. `$name` is a column of money, in millionths.
async fn shown(place: &Place, table: &str, columns: &str) -> Vec<String> {
    let (before, after) = match place.is_postgres() {
        true => ("(", " * 1000000)::bigint"),
        false => ("", "_micro"),
    };
    let mut list = String::new();
    for column in columns.split_whitespace() {
        let column = match column.strip_prefix('$') {
            Some(money) => format!("{before}{money}{after}"),
            None => column.to_owned(),
        };
        let bar = if list.is_empty() { "" } else { " || '|' || " };
        list = format!("{list}{bar}coalesce(CAST({column} AS TEXT), '-')");
    }
    let sql = AssertSqlSafe(format!("SELECT {list} AS line FROM {table} ORDER BY line"));
    if place.is_postgres() {
        let mut c = PgConnection::connect(&place.url).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut c).await.unwrap()
    } else {
        let mut c = SqliteConnection::connect(&place.url).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut c).await.unwrap()
    }
}

/// An approved wish of record `seq`, as the engine would record it.
fn wish(seq: u64) -> IntentRecord {
    let id = IntentId {
        seq: Seq(seq),
        n: 0,
    };
    let opportunity = OpportunityId {
        seq: Seq(seq),
        n: 0,
    };
    let leg = |leg: u16, outcome: &str, mid: Option<Graded>| IntentLegRecord {
        leg,
        market: MarketId(7),
        market_native_id: "0xc0ffee".into(),
        instrument: InstrumentId(14 + u32::from(leg)),
        outcome: outcome.into(),
        buy: true,
        limit: Price(550_000),
        bid: (leg == 0).then_some((Price(480_000), Qty(30_000_000))),
        ask: Some((Price(520_000), Qty(7_000_000))),
        naive: Some(graded(550_000, 5_500_000, 0)),
        mid,
    };
    IntentRecord {
        id,
        at: Timestamp(1_790_000_000_123_456_789),
        strategy: StrategyId(0),
        strategy_name: "oracle-sniper".into(),
        opportunity,
        kind: OpportunityKind::OracleLag,
        seen: Some(Opportunity {
            id: opportunity,
            kind: OpportunityKind::OracleLag,
            at: Timestamp(1_790_000_000_000_000_000),
            legs: vec![OpportunityLeg {
                instrument: InstrumentId(14),
                market: MarketId(7),
                venue: Venue::Polymarket,
                price: Price(520_000),
                qty: Qty(7_000_000),
                fair: Some(Price(640_000)),
                fee: Usd(17_472),
                book_age: Nanos(41),
            }],
            edge: Usd(102_528),
            qty: Qty(7_000_000),
            closes_at: Timestamp(1_790_000_900_000_000_000),
            oracle_age: Nanos(12),
            relation: None,
        }),
        qty: Qty(10_000_000),
        expected_edge: Usd(100_000),
        time_in_force: "fak".into(),
        verdict: Ok(Qty(10_000_000)),
        legs: vec![
            leg(0, "Up", Some(graded(500_000, 5_000_000, 175_000))),
            leg(1, "Down", None),
        ],
    }
}

fn graded(price: i64, value: i64, fee: i64) -> Graded {
    Graded {
        qty: Qty(10_000_000),
        price: Price(price),
        value: Usd(value),
        fee: Usd(fee),
    }
}

fn denied(seq: u64) -> IntentRecord {
    let mut wish = wish(seq);
    wish.seen = None;
    wish.verdict = Err(Rejection {
        reason: Reason::Capital,
        limit: "3 USD".into(),
        observed: "5 USD".into(),
    });
    for leg in &mut wish.legs {
        (leg.naive, leg.mid) = (None, None);
    }
    wish
}

fn intent(wish: IntentRecord) -> StoreOp {
    StoreOp::Intent(Box::new(wish))
}

fn market(cause: u64, status: MarketStatus, payouts: [Option<Price>; 2]) -> StoreOp {
    let [up, down] = payouts;
    StoreOp::Market {
        cause: Seq(cause),
        market: Box::new(MarketRecord {
            market: MarketId(7),
            venue: Venue::Polymarket,
            native_id: "0xc0ffee".into(),
            slug: "btc-updown-15m".into(),
            family: "up-down 15m".into(),
            // Beyond what a database's time can hold.
            closes_at: Timestamp(u64::MAX),
            status,
            outcomes: vec![
                (InstrumentId(14), "Up \"or\" more".into(), up),
                (InstrumentId(15), "Down".into(), down),
            ],
            evidence: "gamma".into(),
            at: Timestamp(1_790_000_900_000_000_000 + cause),
        }),
    }
}

fn denials(minute: u64, wishes: u64) -> DenialCount {
    DenialCount {
        strategy: StrategyId(0),
        strategy_name: "oracle-sniper".into(),
        reason: Reason::RateLimit,
        minute: Timestamp(1_790_000_040_000_000_000 + minute * 60_000_000_000),
        wishes,
        legs: 2 * wishes,
    }
}

fn denied_so_far(cause: u64, minute: u64, wishes: u64) -> StoreOp {
    StoreOp::Denials {
        cause: Seq(cause),
        count: Box::new(denials(minute, wishes)),
    }
}

fn counts(cause: u64, crossed: u64) -> StoreOp {
    let count = |kind, name: &str, n| (kind, name.to_owned(), n);
    StoreOp::Counts {
        cause: Seq(cause),
        counts: vec![
            count(CountKind::InputRefused, "CROSSED_BOOK", crossed),
            count(CountKind::NoOpportunity, "CROSSED_BOOK", 3),
            count(CountKind::Opportunities, "mispricing", 0),
        ],
    }
}

fn said(seq: u64, tape: Tape) -> StoreOp {
    StoreOp::Corroborate(Corroboration {
        trade: TradeId {
            seq: Seq(seq),
            n: 0,
        },
        tape,
        at: Timestamp(1),
    })
}

async fn a_wish_and_its_grades_come_back(place: &Place, store: Store) {
    let ops = [intent(wish(5)), intent(denied(6))];
    let applied = store.apply(RUN, Seq(6), &ops).await.unwrap();
    assert_eq!(applied.inserted, 2);
    let columns = "intent_id seq created_ns strategy_id opportunity_id opportunity_type time_in_force \
                   $requested_quantity $approved_quantity rejection_reason rejection_limit \
                   rejection_observed $expected_edge";
    assert_eq!(
        shown(place, "paper_intents", columns).await,
        [
            "5.0|5|1790000000123456789|oracle-sniper|01234567-5.0|oracle_lag|fak|10000000|10000000|-|-|-|100000",
            "6.0|6|1790000000123456789|oracle-sniper|01234567-6.0|oracle_lag|fak|10000000|-|CAPITAL|3 USD|5 USD|100000",
        ]
    );
    let seen = shown(place, "paper_intents", "opportunity").await;
    assert_eq!(seen[0], "-", "an idea of the strategy's own");
    let seen: Opportunity = serde_json::from_str(&seen[1]).unwrap();
    assert_eq!(Some(seen), wish(5).seen);
    let columns = "intent_id leg market_number market_id instrument_number outcome side $limit_price \
                   $bid_price $bid_quantity $ask_price $ask_quantity \
                   $naive_quantity $naive_price $naive_value $naive_fee \
                   $mid_quantity $mid_price $mid_value $mid_fee";
    assert_eq!(
        shown(place, "paper_grades", columns).await,
        [
            "5.0|0|7|0xc0ffee|14|Up|buy|550000|480000|30000000|520000|7000000|10000000|550000|5500000|0|10000000|500000|5000000|175000",
            "5.0|1|7|0xc0ffee|15|Down|buy|550000|-|-|520000|7000000|10000000|550000|5500000|0|-|-|-|-",
            "6.0|0|7|0xc0ffee|14|Up|buy|550000|480000|30000000|520000|7000000|-|-|-|-|-|-|-|-",
            "6.0|1|7|0xc0ffee|15|Down|buy|550000|-|-|520000|7000000|-|-|-|-|-|-|-|-",
        ]
    );
    // As a person sees it.
    let columns = "intent_id leg strategy_id rejection_reason approved_quantity outcome ask_price \
                   naive_value mid_price mid_fee";
    assert_eq!(
        shown(place, "wishes", columns).await,
        [
            "5.0|0|oracle-sniper|-|10.000000|Up|0.520000|5.500000|0.500000|0.175000",
            "5.0|1|oracle-sniper|-|10.000000|Down|0.520000|5.500000|-|-",
            "6.0|0|oracle-sniper|CAPITAL|-|Up|0.520000|-|-|-",
            "6.0|1|oracle-sniper|CAPITAL|-|Down|0.520000|-|-|-",
        ]
    );
}

async fn a_fill_keeps_the_levels_it_walked_and_its_rule(place: &Place, store: Store) {
    let level = |price, qty, fee| FillLevel {
        price: Price(price),
        qty: Qty(qty),
        fee: Usd(fee),
    };
    let mut trade = bought(1, 0);
    trade.levels = vec![
        level(470_000, 3_000_000, 52_000),
        level(490_000, 2_000_000, 35_360),
    ];
    trade.fill = 3;
    trade.maker = true;
    let levels = trade.levels.clone();
    store.apply(RUN, Seq(1), &[insert(trade)]).await.unwrap();
    let row = row(&store, 1, 0).await;
    assert_eq!((row.fill, row.maker, row.levels), (3, true, Levels(levels)));
    assert_eq!(row.market_family, "up-down 15m");
    assert_eq!(row.fee_rule, "rulebook");
    assert_eq!((row.closes_ns, row.tape), (bought(1, 0).at, None));
    let view = if place.is_postgres() {
        "paper_trades"
    } else {
        "trades"
    };
    assert_eq!(
        shown(place, view, "levels fill fee_rule market_family").await,
        ["[[470000,3000000,52000],[490000,2000000,35360]]|3|rulebook|up-down 15m"]
    );
}

async fn everything_may_be_sent_again(place: &Place, store: Store) {
    let ops = [
        intent(wish(5)),
        insert(bought(5, 0)),
        said(5, Tape::Confirmed),
        intent(denied(6)),
        market(7, MarketStatus::Pending, [None, None]),
        denied_so_far(8, 0, 4),
        counts(9, 11),
    ];
    let first = store.apply(RUN, Seq(9), &ops).await.unwrap();
    assert_eq!(
        first,
        Applied {
            inserted: 3,
            // The tape, the market, the denials and three counts.
            updated: 6,
            ..Applied::default()
        }
    );
    let before = everything(place).await;
    let again = store.apply(RUN, Seq(9), &ops).await.unwrap();
    assert_eq!(
        again,
        Applied {
            // Both wishes, the trade, and what the tape said.
            duplicates: 4,
            updated: 5,
            ..Applied::default()
        }
    );
    // Within one group as well, and in parts.
    let twice: Vec<StoreOp> = ops.iter().chain(&ops).cloned().collect();
    assert_eq!(store.apply(RUN, Seq(9), &twice).await.unwrap(), again);
    for op in &ops {
        store
            .apply(RUN, Seq(9), std::slice::from_ref(op))
            .await
            .unwrap();
    }
    assert_eq!(everything(place).await, before);
}

async fn everything(place: &Place) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in [
        ("paper_trades", "id tape"),
        ("paper_intents", "intent_id seq"),
        ("paper_grades", "intent_id leg"),
        (
            "paper_markets",
            "market_number status outcomes closes_ns updated_seq",
        ),
        (
            "paper_denials",
            "strategy_id reason minute_ns wishes legs updated_seq",
        ),
        ("paper_counts", "kind name count updated_seq"),
    ] {
        all.extend(shown(place, table, columns).await);
    }
    all
}

async fn another_wish_under_the_same_number_is_refused_and_nothing_of_the_group_kept(
    place: &Place,
    store: Store,
) {
    store.apply(RUN, Seq(5), &[intent(wish(5))]).await.unwrap();
    let before = everything(place).await;
    let mut other = wish(5);
    other.legs[1].naive = Some(graded(540_000, 5_400_000, 0));
    for ops in [
        vec![intent(wish(6)), insert(bought(6, 0)), intent(other.clone())],
        // Without the database's help, too.
        vec![intent(wish(5)), intent(other)],
    ] {
        let error = store.apply(RUN, Seq(6), &ops).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::IntentConflict { intent } if intent == "5.0"),
            "{error}"
        );
        assert!(!error.is_transient());
    }
    assert_eq!(everything(place).await, before);
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(5)));
}

async fn older_states_never_overwrite_newer_ones(place: &Place, store: Store) {
    let settled = [Some(Price(1_000_000)), Some(Price(0))];
    // In one group the newest counts, wherever it stands.
    let ops = [
        market(20, MarketStatus::Settled, settled),
        market(10, MarketStatus::Pending, [None, None]),
        denied_so_far(21, 0, 9),
        denied_so_far(11, 0, 4),
        denied_so_far(12, 1, 1),
        counts(22, 70),
        counts(13, 50),
    ];
    store.apply(RUN, Seq(22), &ops).await.unwrap();
    let expected = vec![
        "7|settled|[[14,\"Up \\\"or\\\" more\",1000000],[15,\"Down\",0]]|9223372036854775807|20",
        "oracle-sniper|RATE_LIMIT|1790000040000000000|9|18|21",
        "oracle-sniper|RATE_LIMIT|1790000100000000000|1|2|12",
        "input_refused|CROSSED_BOOK|70|22",
        "no_opportunity|CROSSED_BOOK|3|22",
        "opportunities|mispricing|0|22",
    ];
    assert_eq!(everything(place).await, expected);
    let old = [
        market(19, MarketStatus::Disputed, [None, None]),
        denied_so_far(20, 0, 8),
        counts(21, 69),
    ];
    let applied = store.apply(RUN, Seq(22), &old).await.unwrap();
    assert_eq!((applied.updated, applied.stale), (0, 5));
    assert_eq!(everything(place).await, expected);
}

async fn the_tape_speaks_once_of_fills_only(place: &Place, store: Store) {
    let ops = [
        insert(bought(1, 0)),
        insert(bought(2, 0)),
        insert(refused(3, 0, Reason::NoLiquidity, false)),
        said(1, Tape::NotSeen),
    ];
    store.apply(RUN, Seq(3), &ops).await.unwrap();
    assert_eq!(row(&store, 1, 0).await.tape, Some(Tape::NotSeen));
    assert_eq!(row(&store, 2, 0).await.tape, None);
    store
        .apply(RUN, Seq(4), &[said(2, Tape::NoTape)])
        .await
        .unwrap();
    assert_eq!(row(&store, 2, 0).await.tape, Some(Tape::NoTape));
    for (ops, expected) in [
        (vec![said(1, Tape::Confirmed)], "contradicts"),
        (vec![said(3, Tape::NotSeen)], "is a rejection"),
        (vec![said(9, Tape::NotSeen)], "never stored"),
        (
            vec![
                insert(bought(5, 0)),
                said(5, Tape::NotSeen),
                said(5, Tape::NoTape),
            ],
            "contradicts",
        ),
    ] {
        let error = store.apply(RUN, Seq(6), &ops).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_transient());
    }
    let said = shown(place, "paper_trades", "seq tape").await;
    assert_eq!(said, ["1|not_seen", "2|no_tape", "3|-"]);
    assert!(
        store
            .get(trade_uuid(RUN, bought(5, 0).id))
            .await
            .unwrap()
            .is_none()
    );
}

async fn denials_without_rows_are_in_the_summary(_: &Place, store: Store) {
    let mut tally = Tally::default();
    let mut ops = Vec::new();
    for seq in 1..=3 {
        let no = refused(seq, 0, Reason::RateLimit, true);
        tally.fold(&Effect::RecordTrade(Box::new(no.clone())));
        ops.push(insert(no));
    }
    let no = refused(4, 0, Reason::Capital, true);
    tally.fold(&Effect::RecordTrade(Box::new(no.clone())));
    ops.push(insert(no));
    for (cause, minute, wishes) in [(5, 0, 1), (6, 0, 2), (7, 0, 40), (8, 1, 1), (9, 1, 2)] {
        let count = Box::new(denials(minute, wishes));
        tally.fold(&Effect::CountDenials(count));
        ops.push(denied_so_far(cause, minute, wishes));
    }
    store.apply(RUN, Seq(9), &ops).await.unwrap();
    let summary = store.summary(Timestamp(0)).await.unwrap();
    assert_eq!(summary, tally.summary());
    assert_eq!(
        summary.rejections_by_reason,
        [("RATE_LIMIT".to_owned(), 3 + 84), ("CAPITAL".to_owned(), 1)]
    );
    assert_eq!(summary.rejections, 88);
    // A count belongs to the minute that it names.
    let later = denials(1, 0).minute;
    assert_eq!(store.summary(later).await.unwrap().rejections, 4);
    assert_eq!(
        store
            .summary_by(&pm_arb::store::analysis::Filter {
                since: later,
                ..Default::default()
            })
            .await
            .unwrap()
            .rejections,
        88,
        "stored now"
    );
    let nobody = store
        .summary_of(uuid::Uuid::nil(), Timestamp(0))
        .await
        .unwrap();
    assert_eq!(nobody.rejections, 0);
}

async fn names_that_a_venue_should_not_send_are_kept_readable(place: &Place, store: Store) {
    let mut odd = wish(5);
    odd.legs[0].outcome = "Up\0'; DROP TABLE runs; --".into();
    store
        .apply(RUN, Seq(5), &[intent(odd.clone())])
        .await
        .unwrap();
    let again = store.apply(RUN, Seq(5), &[intent(odd)]).await.unwrap();
    assert_eq!(again.duplicates, 1);
    assert_eq!(
        shown(place, "paper_grades", "outcome").await,
        ["Down", "Up\u{fffd}'; DROP TABLE runs; --"]
    );
}
