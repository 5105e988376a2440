//! One message a day: what was earned honestly, what was refused and why, which feeds were bad, and one
//! thing to look at.
//!
//! Owns its words and its hour. The figures are the report's.

use super::config::DigestAt;
use crate::feed_board::FeedRow;
use crate::report::{Report, signed};
use crate::snapshot::Problem;
use pm_arb_core::ids::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Reasons and feeds that are named.
const NAMED: usize = 4;
/// Less missing data than this in a day is not worth a word.
const BAD_SECS_MIN: f64 = 60.0;

/// How long until the next digest; never zero, so that one hour gives one digest.
#[must_use]
pub fn until_next(at: &DigestAt, now: jiff::Timestamp) -> Duration {
    let here = now.to_zoned(at.zone.clone());
    let day = here.date();
    let candidates = [
        Some(day),
        day.tomorrow().ok(),
        day.tomorrow().and_then(|d| d.tomorrow()).ok(),
    ];
    for day in candidates.into_iter().flatten() {
        let Ok(due) = day.to_datetime(at.time).to_zoned(at.zone.clone()) else {
            continue;
        };
        let span = due.timestamp().as_nanosecond() - now.as_nanosecond();
        if span > 0 {
            return Duration::from_nanos(u64::try_from(span).unwrap_or(u64::MAX));
        }
    }
    Duration::from_secs(86_400)
}

/// What the feeds missed since the last digest.
#[derive(Debug, Default)]
pub struct BadTimes(BTreeMap<String, f64>);

impl BadTimes {
    /// By name, seconds without data since this was asked last.
    pub fn since_last(&mut self, feeds: &[FeedRow]) -> Vec<(String, f64)> {
        let mut bad = Vec::new();
        for feed in feeds {
            let before = self
                .0
                .insert(feed.name.clone(), feed.bad_secs)
                .unwrap_or_default();
            bad.push((feed.name.clone(), (feed.bad_secs - before).max(0.0)));
        }
        bad.retain(|(_, secs)| *secs >= BAD_SECS_MIN);
        bad.sort_by(|a, b| b.1.total_cmp(&a.1));
        bad
    }
}

/// The digest's lines. `Err`: why the database could not be read.
#[must_use]
pub fn text(
    report: &Result<Report, String>,
    bad: &[(String, f64)],
    problems: &[Problem],
) -> String {
    let mut lines = Vec::new();
    match report {
        Ok(report) => {
            let s = &report.summary;
            lines.push(format!(
                "Last 24 hours: honest P&L {}, {} closed ({} won, {} lost), {} open",
                signed(s.realized_pnl),
                s.closed_trades,
                s.wins,
                s.losses,
                s.open_trades
            ));
            lines.push(format!("Verdict: {}", report.figures.all.why));
            let reasons = s.rejections_by_reason.iter().take(NAMED);
            let reasons: Vec<String> = reasons.map(|(code, n)| format!("{code} {n}")).collect();
            lines.push(match reasons.is_empty() {
                true => "Refused: nothing".to_owned(),
                false => format!("Refused: {} legs; {}", s.rejections, reasons.join(", ")),
            });
        }
        Err(why) => lines.push(format!("The database could not be read: {why}")),
    }
    let feeds = bad.iter().take(NAMED);
    let feeds: Vec<String> = feeds
        .map(|(name, secs)| format!("{name} {} min", (secs / 60.0).ceil()))
        .collect();
    lines.push(match feeds.is_empty() {
        true => "Feeds: no bad minute".to_owned(),
        false => format!("Feeds without data: {}", feeds.join(", ")),
    });
    lines.push(match (problems.first(), report) {
        (Some(problem), _) => format!("Look at: {}. {}", problem.what, problem.help),
        (None, Ok(report)) if report.summary.total_trades == 0 => {
            "Look at: nothing was traded; `pm-arb report` and the page Why Not? say why".to_owned()
        }
        (None, _) => "Look at: nothing that can not wait".to_owned(),
    });
    lines.join("\n")
}

/// The 24 hours before.
#[must_use]
pub fn period(now: Timestamp) -> crate::report::Period {
    crate::report::Period::last_days(1, now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::Period;
    use pm_arb_core::report::Summary;
    use pm_arb_core::units::Usd;

    fn at(zone: jiff::tz::TimeZone) -> DigestAt {
        DigestAt {
            time: jiff::civil::time(8, 0, 0, 0),
            zone,
        }
    }

    #[test]
    fn one_an_hour_of_the_day() {
        let at = at(jiff::tz::TimeZone::UTC);
        let secs = |text: &str| until_next(&at, text.parse().unwrap()).as_secs();
        assert_eq!(secs("2026-05-01T07:59:00Z"), 60);
        assert_eq!(secs("2026-05-01T08:00:00Z"), 86_400);
        assert_eq!(secs("2026-05-01T08:00:01Z"), 86_399);
    }

    #[test]
    fn only_what_was_missed_since_the_last_digest_counts() {
        let board = crate::feed_board::FeedBoard::default();
        let _ = board.stream("binance", Duration::from_secs(3));
        let mut feeds = board.report();
        let mut times = BadTimes::default();
        feeds[0].bad_secs = 300.0;
        assert_eq!(times.since_last(&feeds), [("binance".to_owned(), 300.0)]);
        feeds[0].bad_secs = 330.0;
        assert!(times.since_last(&feeds).is_empty());
        feeds[0].bad_secs = 430.0;
        assert_eq!(times.since_last(&feeds), [("binance".to_owned(), 100.0)]);
    }

    #[test]
    fn it_says_what_was_earned_refused_missed_and_to_be_looked_at() {
        let summary = Summary {
            total_trades: 3,
            open_trades: 1,
            closed_trades: 2,
            realized_pnl: Usd::parse("-1.25").unwrap(),
            wins: 1,
            losses: 1,
            rejections: 9,
            by_type: Vec::new(),
            rejections_by_reason: vec![("EDGE_TOO_SMALL".into(), 7), ("BOOK_STALE".into(), 2)],
        };
        let report = Report::brief(summary, Period::last_days(1, Timestamp(0)));
        let text = text(&Ok(report), &[("kalshi".into(), 130.0)], &[]);
        for part in [
            "honest P&L -$1.25, 2 closed (1 won, 1 lost), 1 open",
            "Verdict: ",
            "Refused: 9 legs; EDGE_TOO_SMALL 7, BOOK_STALE 2",
            "Feeds without data: kalshi 3 min",
            "Look at: nothing that can not wait",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let failed = super::text(&Err("it is away".into()), &[], &[]);
        assert!(
            failed.contains("could not be read: it is away") && failed.contains("no bad minute")
        );
    }
}
