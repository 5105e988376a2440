//! The sums: what [`report::gather`](crate::report::gather) says of a day and of everything, profit over
//! time, refusals by hour.
//!
//! Owns the thread they are made on: adding up a million rows would keep a page waiting for its turn.

use crate::causes::chain;
use crate::clock::Clock;
use crate::report::gap::CurvePoint;
use crate::report::{Period, Report, gather};
use crate::store::analysis::Filter;
use crate::store::{DenialBucket, EquityPoint, Store, StoreError};
use pm_arb_core::ids::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Hours of refusals: a week, up to the newest.
pub const DENIAL_HOURS: u32 = 168;
/// A statement of the sums may take this long.
const SUMS_LIMIT: Duration = Duration::from_secs(300);

/// When sums were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// When they were begun, by the wall clock.
    pub as_of: Timestamp,
    /// How long they took.
    pub took: Duration,
}

/// One set of sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// When.
    pub counted: Counted,
    /// Of the last 24 hours.
    pub day: Arc<Report>,
    /// Of everything.
    pub all: Arc<Report>,
    /// Profit over time.
    pub curve: Arc<[CurvePoint]>,
    /// Of the newest run.
    pub equity: Arc<[EquityPoint]>,
    /// By hour and reason.
    pub denials: Arc<[DenialBucket]>,
}

/// Begins on a thread of its own.
pub(super) fn begin(url: String) -> oneshot::Receiver<Result<Sums, String>> {
    let (answer, result) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let made = match runtime {
            Ok(runtime) => runtime.block_on(of(&url)).map_err(|e| chain(&e)),
            Err(error) => Err(format!("the sums can not be made: {error}")),
        };
        // Nobody waits any more when the dashboard ends.
        let _ = answer.send(made);
    };
    // When there is no thread to be had, `answer` is dropped with `work`, and the asker says so.
    let _ = std::thread::Builder::new()
        .name("dashboard-sums".to_owned())
        .spawn(work);
    result
}

async fn of(url: &str) -> Result<Sums, StoreError> {
    let begun = Instant::now();
    let now = Clock::utc().now();
    let store = Store::open_read_only_within(url, SUMS_LIMIT).await?;
    let made = sums(&store, now, begun).await;
    store.close().await;
    made
}

async fn sums(store: &Store, now: Timestamp, begun: Instant) -> Result<Sums, StoreError> {
    let last_day = Period::last_days(1, now);
    let of_day = Filter {
        since: last_day.since,
        ..Filter::default()
    };
    let day = gather(store, of_day, last_day, None).await?;
    let all = gather(
        store,
        Filter::default(),
        Period::since(Timestamp(0), now),
        None,
    )
    .await?;
    let curve = all.figures.curve.clone().into();
    let equity = store.equity(None, Timestamp(0)).await?.into();
    let denials = store.denials_by_hour(DENIAL_HOURS).await?.into();
    Ok(Sums {
        counted: Counted {
            as_of: now,
            took: begun.elapsed(),
        },
        day: Arc::new(day),
        all: Arc::new(all),
        curve,
        equity,
        denials,
    })
}
