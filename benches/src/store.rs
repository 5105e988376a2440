//! Row `store`: trades persisted a second, beside the barest loop that writes the same rows.
//!
//! Ours is `Store::apply` in groups of [`GROUP`] (what the relay sends): rows built and hashed from the
//! engine's records, duplicates told from contradictions, the run's position moved, one transaction.
//! Bare is a loop of one `INSERT … SELECT FROM unnest` a group over arrays made beforehand (SQLite: a
//! prepared insert a row in one transaction a group), into an empty copy of the same table with its
//! checks and indexes. Both commit durably. Wall time, because the server's work is part of it.
//!
//! PostgreSQL is the one of `TEST_DATABASE_URL` (`scripts/with-services.sh` starts one), and must be
//! marked as a test database.

use crate::Settings;
use crate::measure::{Goal, Outcome, Row, Times};
use crate::native::{self, NAME, OnceASecond};
use crate::replay::{self, SEED};
use crate::store_bare::{Lite, Postgres};
use crate::stream::Stream;
use pm_arb::store::{RunInfo, Store, StoreOp};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus};
use pm_arb_core::ids::{IntentId, OpportunityId, Seq, Timestamp, TradeId};
use std::time::Instant;
use uuid::Uuid;

/// Rows of one statement or transaction; the relay's own number.
pub const GROUP: usize = 500;
/// Rows of one round.
pub const ROWS: usize = 10_000;

/// A filled trade as the engine makes it.
fn sample() -> Outcome<TradeRecord> {
    let records = native::records(&Stream::generate(SEED, 20_000));
    let strategy = Box::new(OnceASecond::default());
    let entrants = vec![(strategy as Box<_>, NAME.to_owned())];
    let mut engine = replay::engine(&records, entrants, &mut |_, _| {});
    let mut effects = Vec::new();
    for record in records.iter().skip(native::PREAMBLE) {
        engine.step(record, &mut effects);
    }
    let filled = effects.into_iter().find_map(|effect| match effect {
        Effect::RecordTrade(trade) if trade.status == TradeStatus::Open => Some(*trade),
        _ => None,
    });
    Ok(filled.ok_or("the sample stream filled nothing")?)
}

/// As many different trades as a round has rows.
fn ops() -> Outcome<Vec<StoreOp>> {
    let sample = sample()?;
    let op = |n: u64| {
        let seq = Seq(n + 1);
        StoreOp::Insert(Box::new(TradeRecord {
            id: TradeId { seq, n: 0 },
            opportunity: OpportunityId { seq, n: 0 },
            intent: IntentId { seq, n: 0 },
            ..sample.clone()
        }))
    };
    Ok((0..ROWS as u64).map(op).collect())
}

/// Registers run number `n` and writes every group; seconds.
async fn ours(store: &Store, ops: &[StoreOp], n: u32) -> Outcome<f64> {
    let run_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &n.to_le_bytes());
    let run = RunInfo {
        run_id,
        source: "bench".to_owned(),
        created: Timestamp(crate::stream::START),
        host_version: "bench".to_owned(),
        config: "{}".to_owned(),
    };
    store.ensure_run(&run).await?;
    let start = Instant::now();
    for (group, n) in ops.chunks(GROUP).zip(1_u64..) {
        let applied = store.apply(run_id, Seq(n * GROUP as u64), group).await?;
        if applied.inserted != group.len() {
            return Err(format!("{} of {} rows were new", applied.inserted, group.len()).into());
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

fn row(what: &str, ours: Vec<f64>, bare: Vec<f64>) -> Row {
    let (ours, bare) = (Times::new(ours), Times::new(bare));
    let rate = |times: &Times| {
        let each = |seconds: f64| ROWS as f64 / seconds / 1e3;
        format!(
            "{:.1} k/s ({:.1})",
            each(times.best()),
            each(times.median())
        )
    };
    let (best, median) = bare.over(&ours);
    Row {
        what: what.to_owned(),
        ours: rate(&ours),
        theirs: rate(&bare),
        best,
        median,
        goal: Goal::None,
    }
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(all(settings, notes))
}

async fn all(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let ops = ops()?;
    let mut rows = Vec::new();
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => {
            let mut bare = Postgres::connect(&url).await?;
            let store = Store::open(&bare.url).await?;
            let (mut us, mut them) = (Vec::new(), Vec::new());
            for n in 0..=settings.rounds as u32 {
                bare.empty().await?;
                let seconds = ours(&store, &ops, n).await?;
                let theirs = bare.round().await?;
                if n > 0 {
                    us.push(seconds);
                    them.push(theirs);
                }
            }
            store.close().await;
            bare.remove().await?;
            let what = "trades stored in PostgreSQL, beside a bare INSERT … SELECT unnest loop (of its rate)";
            rows.push(row(what, us, them));
        }
        Err(_) => notes.push(
            "store: no PostgreSQL: set TEST_DATABASE_URL, or run through scripts/with-services.sh"
                .to_owned(),
        ),
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("trades.sqlite");
    let store = Store::open(&format!("sqlite:{}", path.display())).await?;
    let mut bare = Lite::connect(&path).await?;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for n in 0..=settings.rounds as u32 {
        bare.empty().await?;
        let seconds = ours(&store, &ops, n).await?;
        let theirs = bare.round().await?;
        if n > 0 {
            us.push(seconds);
            them.push(theirs);
        }
    }
    store.close().await;
    let what =
        "trades stored in SQLite, beside bare prepared inserts in a transaction (of their rate)";
    rows.push(row(what, us, them));
    notes.push(format!(
        "store: {ROWS} rows a round, {GROUP} a group, wall time, both durable"
    ));
    Ok(rows)
}
