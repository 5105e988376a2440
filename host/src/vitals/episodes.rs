//! Problems that last become one alert each, and one more when they are over.
//!
//! What passes within its grace is on the page and in no alert: a socket that is replaced is no news.

use crate::alerts::{Level, Notice};
use crate::orchestrator::Health;
use crate::snapshot::Problem;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The engine tells of these itself.
const TOLD_BY_ENGINE: [&str; 1] = ["HALTED"];
/// A message about messages that do not arrive would not arrive.
const NOT_TOLD: [&str; 1] = ["ALERTS_UNDELIVERED"];

/// How long a problem must last before anybody is told.
fn grace(problem: &Problem) -> Duration {
    match (problem.code.as_str(), problem.level) {
        ("DATABASE_REFUSES" | "ENGINE_FROZEN" | "DISK_LOW", _) | (_, Level::Critical) => {
            Duration::ZERO
        }
        ("FEED_DOWN", _) => Duration::from_secs(20),
        ("DATABASE_AWAY" | "REDIS_AWAY" | "AGENT_DOWN", _) => Duration::from_secs(10),
        _ => Duration::from_secs(60),
    }
}

#[derive(Debug)]
struct Episode {
    since: Instant,
    level: Level,
    is_told: bool,
}

/// See the top of the file.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    open: BTreeMap<(String, String), Episode>,
    /// By agent.
    restarts: BTreeMap<String, u32>,
}

impl Episodes {
    /// What people are to be told, given what is wrong now.
    pub(super) fn note(
        &mut self,
        problems: &[Problem],
        health: &Health,
        now: Instant,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for problem in problems {
            let code = problem.code.as_str();
            let is_strategy = problem.about.starts_with("strategy-");
            if TOLD_BY_ENGINE.contains(&code) || NOT_TOLD.contains(&code) || is_strategy {
                continue;
            }
            let key = (problem.code.clone(), problem.about.clone());
            let episode = self.open.entry(key).or_insert(Episode {
                since: now,
                level: problem.level,
                is_told: false,
            });
            let grown = problem.level > episode.level;
            episode.level = episode.level.max(problem.level);
            if (!episode.is_told || grown) && now.duration_since(episode.since) >= grace(problem) {
                episode.is_told = true;
                let text = format!("{}. {}", problem.what, problem.help);
                notices.push(Notice::new(problem.level, code, &problem.about, &text));
            }
        }
        self.open.retain(|(code, about), episode| {
            let goes_on = problems
                .iter()
                .any(|p| p.code == *code && p.about == *about);
            if !goes_on && episode.is_told {
                let text = format!(
                    "recovered after {} s",
                    now.duration_since(episode.since).as_secs()
                );
                notices.push(Notice::new(episode.level, code, about, &text).over());
            }
            goes_on
        });
        notices.extend(self.restarted(health));
        notices
    }

    fn restarted(&mut self, health: &Health) -> Vec<Notice> {
        let mut notices = Vec::new();
        for agent in &health.agents {
            let before = self.restarts.insert(agent.name.clone(), agent.restarts);
            if before.unwrap_or(0) < agent.restarts {
                let why = agent.last_error.as_deref().unwrap_or("it said nothing");
                let text = format!("started again, for the {}. time: {why}", agent.restarts);
                notices.push(Notice::new(
                    Level::Info,
                    "AGENT_RESTARTED",
                    &agent.name,
                    &text,
                ));
            }
        }
        notices
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::orchestrator::HealthBoard;

    fn feed_down() -> Problem {
        Problem {
            level: Level::Warning,
            code: "FEED_DOWN".into(),
            about: "binance".into(),
            what: "binance is not connected".into(),
            help: "Nothing".into(),
        }
    }

    #[test]
    fn what_lasts_is_told_once_and_its_end_once() {
        let (mut episodes, health) = (Episodes::default(), HealthBoard::default().report());
        let start = Instant::now();
        let secs = |n| start + Duration::from_secs(n);
        let bad = [feed_down()];
        assert!(episodes.note(&bad, &health, secs(0)).is_empty());
        let told = episodes.note(&bad, &health, secs(20));
        assert_eq!(told.len(), 1);
        assert!(!told[0].over && told[0].text.contains("not connected"));
        for n in 21..600 {
            assert!(episodes.note(&bad, &health, secs(n)).is_empty());
        }
        let over = episodes.note(&[], &health, secs(600));
        assert_eq!(over.len(), 1);
        assert!(
            over[0].over
                && over[0].text == "recovered after 600 s"
                && over[0].level == Level::Warning
        );
        assert!(episodes.note(&[], &health, secs(601)).is_empty());
    }

    #[test]
    fn what_passes_is_not_told_at_all() {
        let (mut episodes, health) = (Episodes::default(), HealthBoard::default().report());
        let start = Instant::now();
        for n in 0..10 {
            let at = start + Duration::from_secs(15 * n);
            assert!(episodes.note(&[feed_down()], &health, at).is_empty());
            assert!(
                episodes
                    .note(&[], &health, at + Duration::from_secs(10))
                    .is_empty()
            );
        }
    }

    #[test]
    fn what_gets_worse_is_told_again() {
        let (mut episodes, health) = (Episodes::default(), HealthBoard::default().report());
        let start = Instant::now();
        let low = Problem {
            code: "DISK_LOW".into(),
            about: String::new(),
            ..feed_down()
        };
        assert_eq!(
            episodes
                .note(std::slice::from_ref(&low), &health, start)
                .len(),
            1
        );
        let lower = Problem {
            level: Level::Critical,
            ..low
        };
        assert_eq!(
            episodes
                .note(std::slice::from_ref(&lower), &health, start)
                .len(),
            1
        );
        assert!(episodes.note(&[lower], &health, start).is_empty());
    }

    #[test]
    fn a_restart_is_told_with_its_reason() {
        let (mut episodes, board) = (Episodes::default(), HealthBoard::default());
        board.register("oracle-binance");
        assert!(
            episodes
                .note(&[], &board.report(), Instant::now())
                .is_empty()
        );
        board.failed("oracle-binance", "it broke");
        board.restarted("oracle-binance");
        let told = episodes.note(&[], &board.report(), Instant::now());
        assert_eq!(told.len(), 1);
        assert!(told[0].text.contains("it broke"), "{told:?}");
        assert!(
            episodes
                .note(&[], &board.report(), Instant::now())
                .is_empty()
        );
    }
}
