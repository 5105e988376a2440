//! What is wrong now, in words, and what to do about it: a pure look at one sample.
//!
//! The pages and alerts of a problem say the same. Nothing here stops or starts anything.

use crate::alerts::Level;
use crate::feed_board::{FeedRow, FeedState};
use crate::orchestrator::{AgentHealth, AgentState, Health};
use crate::snapshot::{Problem, Vitals};

/// The engine's loop turns at least twice a second; without a turn for so long it is stuck.
const FROZEN_SECS: f64 = 10.0;
/// Less free space than this is worth a look: about a week of busy journals.
const FREE_LOW: u64 = 2 << 30;
/// With less than this the journal's next segment may not fit.
const FREE_LAST: u64 = 256 << 20;
/// A disk that is full within so many days is worth a look.
const DAYS_LOW: f64 = 3.0;
/// A clock further off than this misjudges ends of markets.
const SKEW_MAX_MS: f64 = 2_000.0;
/// A comparison older than this says nothing any more.
const SKEW_OLD_SECS: f64 = 3_600.0;
/// More of the files that may be open than this, in percent.
const FILES_HIGH: u64 = 80;

fn problem(level: Level, code: &str, about: &str, what: String, help: &str) -> Problem {
    Problem {
        level,
        code: code.to_owned(),
        about: about.to_owned(),
        what,
        help: help.to_owned(),
    }
}

/// Everything that is wrong, the worst first.
pub(super) fn problems(health: &Health, vitals: &Vitals) -> Vec<Problem> {
    let mut all = Vec::new();
    if let Some(why) = &health.halted {
        let help = "Find out why, then: pm-arb resume -m \"what you found\"";
        all.push(problem(
            Level::Critical,
            "HALTED",
            "",
            format!("Trading is halted: {why}"),
            help,
        ));
    }
    if let Some(secs) = vitals
        .process
        .engine_turn_secs
        .filter(|secs| *secs > FROZEN_SECS)
    {
        let what = format!("The engine has made no progress for {secs:.0} s");
        let help = "If the database is away it waits for it; otherwise restart the pilot, nothing journalled is lost";
        all.push(problem(Level::Critical, "ENGINE_FROZEN", "", what, help));
    }
    all.extend(health.agents.iter().filter_map(agent));
    all.extend(vitals.feeds.iter().filter_map(feed));
    all.extend(database(vitals));
    if let Some(redis) = vitals.redis.as_ref().filter(|redis| !redis.connected) {
        let why = redis.last_error.as_deref().unwrap_or("not reached yet");
        let help = "Start Redis or correct --redis-url; trading goes on without it";
        all.push(problem(
            Level::Warning,
            "REDIS_AWAY",
            "",
            format!("Redis is away: {why}"),
            help,
        ));
    }
    all.extend(disk(vitals));
    for clock in &vitals.clocks {
        let sure = clock.skew_ms.abs() - clock.within_ms;
        if sure > SKEW_MAX_MS && clock.age_secs < SKEW_OLD_SECS {
            let what = format!(
                "Our clock is {:.1} s off that of {}",
                clock.skew_ms / 1_000.0,
                clock.source
            );
            let help = "Switch time synchronisation on: timedatectl set-ntp true";
            all.push(problem(
                Level::Warning,
                "CLOCK_SKEW",
                &clock.source,
                what,
                help,
            ));
        }
    }
    if let (Some(open), Some(max)) = (vitals.process.open_files, vitals.process.open_files_max)
        && open.saturating_mul(100) > max.saturating_mul(FILES_HIGH)
    {
        let what = format!("{open} of {max} files and sockets are open");
        let help = "Raise the limit (ulimit -n, LimitNOFILE=) and restart";
        all.push(problem(Level::Warning, "FILES_LOW", "", what, help));
    }
    for target in vitals.targets.iter().filter(|target| target.failing) {
        let why = target.last_error.as_deref().unwrap_or("no answer");
        let what = format!("Alerts do not reach {}: {why}", target.name);
        let help = "Try: pm-arb alerts test --config FILE";
        all.push(problem(
            Level::Warning,
            "ALERTS_UNDELIVERED",
            &target.name,
            what,
            help,
        ));
    }
    if vitals
        .dead_man
        .as_ref()
        .is_some_and(|dead_man| dead_man.failing)
    {
        let what = "The dead man's switch does not answer".to_owned();
        let help =
            "Check its address and the network; whoever watches it will think that the pilot died";
        all.push(problem(
            Level::Warning,
            "DEAD_MAN_UNREACHED",
            "",
            what,
            help,
        ));
    }
    all.sort_by_key(|problem| std::cmp::Reverse(problem.level));
    all
}

fn agent(agent: &AgentHealth) -> Option<Problem> {
    let why = agent.last_error.as_deref().unwrap_or("it said nothing");
    let is_strategy = agent.name.starts_with("strategy-") && agent.name != "strategy-watcher";
    let (level, what, help) = match agent.state {
        AgentState::Running | AgentState::Stopped | AgentState::Starting => return None,
        AgentState::Failed if is_strategy => (
            Level::Warning,
            format!("{} is quarantined", agent.name),
            "Put a corrected file in its place, or release it on the Strategies page",
        ),
        AgentState::Failed => (
            Level::Critical,
            format!("{} was given up: {why}", agent.name),
            "Correct the cause and restart the pilot; what it fed backs no trade meanwhile",
        ),
        AgentState::Backoff if is_strategy => (
            Level::Info,
            format!("{} is being restarted", agent.name),
            "Nothing, unless it happens again",
        ),
        AgentState::Backoff => (
            Level::Warning,
            format!("{} failed and is started again soon: {why}", agent.name),
            "Nothing yet; after five failures in a row it is given up",
        ),
    };
    Some(problem(level, "AGENT_DOWN", &agent.name, what, help))
}

fn feed(feed: &FeedRow) -> Option<Problem> {
    let why = feed.last_error.as_deref().unwrap_or("no answer yet");
    let (what, help) = match feed.state {
        FeedState::Live | FeedState::Idle | FeedState::Ended => return None,
        FeedState::Connecting => (
            format!("{} has brought no data yet", feed.name),
            "Nothing, if it just started; otherwise check the network and its address in the configuration",
        ),
        FeedState::Stale => (
            format!(
                "{} has brought no data for {:.0} s",
                feed.name,
                feed.data_age_secs.unwrap_or(feed.for_secs)
            ),
            "Nothing: it is asked again and replaced by itself, and backs no trade meanwhile; if it lasts, look at the venue's status page",
        ),
        FeedState::Down => (
            format!("{} is not connected: {why}", feed.name),
            "Nothing: it is tried again by itself, and backs no trade meanwhile; if it lasts, check network and venue",
        ),
    };
    Some(problem(Level::Warning, "FEED_DOWN", &feed.name, what, help))
}

fn database(vitals: &Vitals) -> Option<Problem> {
    let database = &vitals.database;
    if let Some(why) = &database.fatal {
        let what = format!("The database contradicts the journal; nothing more is stored: {why}");
        let help = "Keep both and report it; a new database can be filled from the journal";
        return Some(problem(Level::Critical, "DATABASE_REFUSES", "", what, help));
    }
    let secs = database.failing_secs?;
    let why = database.last_error.as_deref().unwrap_or("no answer");
    let what = format!(
        "The database has been away for {secs} s, {} changes wait: {why}",
        database.backlog
    );
    let help = "Bring it back; nothing is lost, what waits is in the journal";
    Some(problem(Level::Warning, "DATABASE_AWAY", "", what, help))
}

fn disk(vitals: &Vitals) -> Option<Problem> {
    let free = vitals.journal.free_bytes?;
    let days = vitals.journal.days_left;
    let is_short = free < FREE_LOW || days.is_some_and(|days| days < DAYS_LOW);
    if !is_short {
        return None;
    }
    let level = if free < FREE_LAST {
        Level::Critical
    } else {
        Level::Warning
    };
    let left = days.map_or(String::new(), |days| {
        format!(", about {days:.1} days at the present rate")
    });
    let what = format!("{} MiB are free on the journal's disk{left}", free >> 20);
    let help =
        "Make room or move old runs away; when the journal can not be written the pilot stops";
    Some(problem(level, "DISK_LOW", "", what, help))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use crate::feed_board::{FeedBoard, SkewRow};
    use crate::orchestrator::HealthBoard;
    use crate::snapshot::{DatabaseRow, Instant, JournalRow, ProcessRow, ProgramRow, RedisRow};
    use pm_arb_core::ids::Timestamp;
    use std::time::Duration;

    pub(in crate::vitals) fn well() -> Vitals {
        Vitals {
            as_of: Instant(Timestamp(0)),
            problems: Vec::new(),
            feeds: Vec::new(),
            database: DatabaseRow::default(),
            redis: None,
            journal: JournalRow::default(),
            clocks: Vec::new(),
            process: ProcessRow::default(),
            program: ProgramRow::default(),
            targets: Vec::new(),
            dead_man: None,
            alerts: Vec::new(),
        }
    }

    fn codes(health: &Health, vitals: &Vitals) -> Vec<String> {
        problems(health, vitals)
            .into_iter()
            .map(|p| p.code)
            .collect()
    }

    #[test]
    fn a_pilot_that_is_well_has_no_problem() {
        let health = HealthBoard::default().report();
        assert!(problems(&health, &well()).is_empty());
    }

    #[test]
    fn every_trouble_has_its_row_and_something_to_do() {
        let board = HealthBoard::default();
        board.register("venue-watcher-kalshi");
        board.set_state("venue-watcher-kalshi", AgentState::Failed);
        board.set_halted(Some("by hand"));
        let feeds = FeedBoard::default();
        feeds
            .stream("binance", Duration::from_secs(3))
            .down("reset");
        let mut vitals = well();
        vitals.feeds = feeds.report();
        vitals.database.failing_secs = Some(7);
        vitals.redis = Some(RedisRow::default());
        vitals.journal.free_bytes = Some(FREE_LAST - 1);
        vitals.clocks.push(SkewRow {
            source: "kalshi".into(),
            skew_ms: -4_000.0,
            within_ms: 600.0,
            age_secs: 5.0,
        });
        vitals.process.engine_turn_secs = Some(30.0);
        (vitals.process.open_files, vitals.process.open_files_max) = (Some(900), Some(1_024));
        let found = problems(&board.report(), &vitals);
        let codes: Vec<&str> = found.iter().map(|p| p.code.as_str()).collect();
        assert_eq!(
            codes,
            [
                "HALTED",
                "ENGINE_FROZEN",
                "AGENT_DOWN",
                "DISK_LOW",
                "FEED_DOWN",
                "DATABASE_AWAY",
                "REDIS_AWAY",
                "CLOCK_SKEW",
                "FILES_LOW"
            ]
        );
        assert!(
            found
                .iter()
                .all(|p| !p.help.is_empty() && !p.what.is_empty())
        );
    }

    #[test]
    fn a_small_skew_and_one_within_its_doubt_are_none() {
        let health = HealthBoard::default().report();
        let mut vitals = well();
        for (skew_ms, within_ms) in [(1_900.0, 500.0), (2_400.0, 500.0)] {
            let source = "venue".to_owned();
            vitals.clocks = vec![SkewRow {
                source,
                skew_ms,
                within_ms,
                age_secs: 1.0,
            }];
            assert!(codes(&health, &vitals).is_empty());
        }
    }
}
