//! The database is a view of the journal: built anew from it, it is the same.

use pm_arb::journal::JournalReader;
use pm_arb::pilot::counts;
use pm_arb::plugin::{Limits, PluginHost};
use pm_arb::replay::{Cast, replay};
use pm_arb::store::{RunInfo, Store, StoreOp};
use pm_arb_core::effect::Effect;
use pm_arb_core::ids::{Seq, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Row, ValueRef};
use std::path::Path;

/// Effects of one transaction.
const GROUP: usize = 200;

/// What the two databases have in common.
#[derive(Debug)]
pub struct Rebuilt {
    /// Wishes stored one by one.
    pub intents: usize,
    /// Of their legs, those with grades.
    pub graded: usize,
    /// Fills of which it is known what the tape says.
    pub corroborated: usize,
    /// Lines of counts.
    pub counts: usize,
}

/// Replays the run in `dir`, stores it in a database of its own, and fails when that is not what the
/// pilot's database holds of the run. Whatever else is in the pilot's is not looked at.
pub fn same_as_journal(dir: &Path, database: &Path) -> Rebuilt {
    let mut ops: Vec<(Seq, StoreOp)> = Vec::new();
    let mut wishes = 0;
    let host = PluginHost::new(Limits::default()).unwrap();
    let (replayed, _loader) = replay(dir, host, None, Cast::Own, &mut |seq, effect| {
        wishes += usize::from(matches!(effect, Effect::RecordIntent(_)));
        ops.extend(StoreOp::of(seq, effect).map(|op| (seq, op)));
    })
    .unwrap();
    let last = replayed.last_seq;
    ops.push((last, counts::of(&replayed.engine, last)));
    let run_id = JournalReader::open(dir).unwrap().meta().run_id;
    let folder = tempfile::tempdir().unwrap();
    let rebuilt = folder.path().join("rebuilt.sqlite");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&format!("sqlite:{}", rebuilt.display()))
            .await
            .unwrap();
        let run = RunInfo {
            run_id,
            source: "rebuilt".into(),
            created: Timestamp(0),
            host_version: String::new(),
            config: String::new(),
        };
        store.ensure_run(&run).await.unwrap();
        for group in ops.chunks(GROUP) {
            let through = group.last().unwrap().0;
            let ops: Vec<StoreOp> = group.iter().map(|(_, op)| op.clone()).collect();
            store.apply(run_id, through, &ops).await.unwrap();
        }
        store.close().await;
        let tables = |path: &Path| tables(path.to_owned(), run_id.to_string());
        let (own, anew) = (tables(database).await, tables(&rebuilt).await);
        assert_eq!(
            own.len(),
            8,
            "{:?}",
            own.iter().map(|t| &t.0).collect::<Vec<_>>()
        );
        for ((name, own), (_, anew)) in own.iter().zip(&anew) {
            for (a, b) in own.iter().zip(anew) {
                assert_eq!(a, b, "{name}: the pilot's database, and the journal");
            }
            assert_eq!(own.len(), anew.len(), "rows of {name}");
        }
        let rows = |name: &str| &own.iter().find(|t| t.0 == name).unwrap().1;
        let having =
            |name: &str, text: &str| rows(name).iter().filter(|row| row.contains(text)).count();
        let intents = rows("paper_intents").len();
        assert_eq!(intents, wishes);
        Rebuilt {
            intents,
            graded: rows("paper_grades").len() - having("paper_grades", "naive_value_micro=NULL"),
            corroborated: having("paper_trades", "tape='"),
            counts: rows("paper_counts").len(),
        }
    })
}

/// Every table of trades, with the rows of one run as text, in order; without the times at which a
/// database took them or the funnel was counted.
async fn tables(path: std::path::PathBuf, run_id: String) -> Vec<(String, Vec<String>)> {
    let url = format!("sqlite:{}", path.display());
    let mut c = SqliteConnection::connect(&url).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'paper_%' ORDER BY name",
    )
    .fetch_all(&mut c)
    .await
    .unwrap();
    let mut all = Vec::new();
    for name in names {
        let sql = format!("SELECT * FROM {name} WHERE run_id = ?1");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(&run_id)
            .fetch_all(&mut c)
            .await
            .unwrap();
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        lines.retain(|row| !row.contains("name='taken_ns'"));
        lines.sort();
        all.push((name, lines));
    }
    all
}

fn line(row: &SqliteRow) -> String {
    let mut text = String::new();
    for column in row.columns().iter().filter(|c| c.name() != "stored_ns") {
        let i = column.ordinal();
        let value = if row.try_get_raw(i).unwrap().is_null() {
            "NULL".to_owned()
        } else if let Ok(text) = row.try_get::<String, _>(i) {
            format!("'{text}'")
        } else if let Ok(whole) = row.try_get::<i64, _>(i) {
            whole.to_string()
        } else {
            format!("{:?}", row.get::<Vec<u8>, _>(i))
        };
        text.push_str(&format!("{}={value} ", column.name()));
    }
    text
}
