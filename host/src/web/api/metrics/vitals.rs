//! Figures of what trading stands on: agents, feeds, database, bus, journal, clocks, this process. What is
//! not known has no value.

use super::{Figures, label};
use crate::feed_board::FeedRow;
use crate::orchestrator::health::{AgentHealth, Health};
use crate::snapshot::{DatabaseRow, JournalRow, ProcessRow, RedisRow, System, Vitals};
use std::fmt;

type Done = Result<(), fmt::Error>;

impl Figures<'_> {
    pub(super) fn system(&mut self, system: &System) -> Done {
        self.agents(&system.health)?;
        self.count_each(
            &system.refused_inputs,
            |refused| label("reason", &refused.reason),
            "pm_arb_inputs_refused",
            "Inputs that could not be used, by reason",
            |refused| refused.count,
        )?;
        match &system.vitals {
            Some(vitals) => self.vitals(vitals),
            None => Ok(()),
        }
    }

    fn agents(&mut self, health: &Health) -> Done {
        let name = |agent: &AgentHealth| label("agent", &agent.name);
        self.gauge(
            "pm_arb_uptime_seconds",
            "Time since the pilot started",
            health.uptime_secs,
        )?;
        self.each(
            &health.agents,
            name,
            "pm_arb_agent_running",
            "1 while the agent is at work",
            |agent| Some(f64::from(u8::from(agent.running))),
        )?;
        self.count_each(
            &health.agents,
            name,
            "pm_arb_agent_restarts",
            "How often the agent was started again",
            |agent| u64::from(agent.restarts),
        )?;
        self.each(
            &health.agents,
            name,
            "pm_arb_agent_silence_seconds",
            "Time since the agent last made progress",
            |agent| agent.last_heartbeat_secs,
        )
    }

    fn vitals(&mut self, vitals: &Vitals) -> Done {
        self.gauge(
            "pm_arb_problems",
            "What is wrong now; the System page says what and what to do",
            vitals.problems.len() as f64,
        )?;
        self.feeds(&vitals.feeds)?;
        self.database(&vitals.database)?;
        if let Some(redis) = &vitals.redis {
            self.redis(redis)?;
        }
        self.journal(&vitals.journal)?;
        self.process(&vitals.process)
    }

    fn feeds(&mut self, rows: &[FeedRow]) -> Done {
        let name = |row: &FeedRow| label("stream", &row.name);
        let state = |row: &FeedRow| {
            let mut labels = name(row);
            labels.push(("state", row.state.as_str().to_owned()));
            labels
        };
        self.each(
            rows,
            state,
            "pm_arb_feed_state",
            "1 for the state it is in",
            |_| Some(1.0),
        )?;
        type Read = fn(&FeedRow) -> Option<f64>;
        let seconds = |ms: f64| ms / 1e3;
        let gauges: [(&str, &str, Read); 3] = [
            (
                "pm_arb_feed_message_age_seconds",
                "Since anything came",
                |f| f.message_age_secs,
            ),
            ("pm_arb_feed_data_age_seconds", "Since data came", |f| {
                f.data_age_secs
            }),
            (
                "pm_arb_feed_bad_seconds",
                "How long it was not to be relied on, in all",
                |f| Some(f.bad_secs),
            ),
        ];
        for (figure, help, read) in gauges {
            self.each(rows, name, figure, help, read)?;
        }
        let lags = rows.iter().flat_map(|row| {
            let quantiles = [("0.5", row.lag_median_ms), ("0.99", row.lag_p99_ms)];
            quantiles.into_iter().filter_map(move |(quantile, lag)| {
                let mut labels = name(row);
                labels.push(("quantile", quantile.to_owned()));
                Some((labels, seconds(lag?)))
            })
        });
        self.gauges(
            "pm_arb_feed_lag_seconds",
            "From the venue's time of a message to ours, of the last ones",
            lags,
        )?;
        type Count = fn(&FeedRow) -> u64;
        let counters: [(&str, &str, Count); 5] = [
            ("pm_arb_feed_messages", "Messages", |f| f.messages),
            ("pm_arb_feed_bytes", "Bytes of messages", |f| f.bytes),
            ("pm_arb_feed_gaps", "Gaps in what came", |f| f.gaps),
            (
                "pm_arb_feed_refused",
                "Messages that could not be used",
                |f| f.refused,
            ),
            (
                "pm_arb_feed_reconnects",
                "How often it was connected again",
                |f| f.reconnects,
            ),
        ];
        for (figure, help, read) in counters {
            self.count_each(rows, name, figure, help, read)?;
        }
        Ok(())
    }

    fn database(&mut self, database: &DatabaseRow) -> Done {
        self.gauge(
            "pm_arb_database_backlog",
            "Changes that wait to be stored",
            database.backlog as f64,
        )?;
        self.gauge(
            "pm_arb_database_failing_seconds",
            "For how long nothing could be written; 0 while it works",
            database.failing_secs.unwrap_or_default() as f64,
        )?;
        for (name, help, count) in [
            (
                "pm_arb_database_inserted",
                "Rows written by this process",
                database.inserted,
            ),
            (
                "pm_arb_database_updated",
                "Rows changed by this process",
                database.updated,
            ),
            (
                "pm_arb_database_failures",
                "Attempts to write that failed",
                database.failures,
            ),
        ] {
            self.counter(name, help, count)?;
        }
        Ok(())
    }

    fn redis(&mut self, redis: &RedisRow) -> Done {
        self.gauge(
            "pm_arb_redis_up",
            "1 while Redis is there",
            f64::from(u8::from(redis.connected)),
        )?;
        self.gauge(
            "pm_arb_redis_waiting",
            "Messages that wait to be published",
            redis.waiting as f64,
        )?;
        self.counter(
            "pm_arb_redis_dropped",
            "Messages given up because too many waited",
            redis.dropped,
        )
    }

    fn journal(&mut self, journal: &JournalRow) -> Done {
        self.gauge(
            "pm_arb_journal_bytes",
            "The run's journal on disk",
            journal.bytes as f64,
        )?;
        for (name, help, value) in [
            (
                "pm_arb_journal_flush_age_seconds",
                "Since the journal was made durable",
                journal.flushed_secs,
            ),
            (
                "pm_arb_disk_free_bytes",
                "Free on the journal's disk",
                journal.free_bytes.map(|bytes| bytes as f64),
            ),
            (
                "pm_arb_disk_days_left",
                "Until that disk is full, as the journal grows now",
                journal.days_left,
            ),
        ] {
            self.known(name, help, value)?;
        }
        Ok(())
    }

    fn process(&mut self, process: &ProcessRow) -> Done {
        let count = |n: Option<u64>| n.map(|n| n as f64);
        for (name, help, value) in [
            (
                "pm_arb_process_resident_bytes",
                "Resident memory",
                count(process.resident_bytes),
            ),
            ("pm_arb_process_threads", "Threads", count(process.threads)),
            (
                "pm_arb_process_open_files",
                "Open files and sockets",
                count(process.open_files),
            ),
            (
                "pm_arb_process_open_files_max",
                "As many may be open",
                count(process.open_files_max),
            ),
            (
                "pm_arb_engine_turn_age_seconds",
                "Since the engine's loop turned last",
                process.engine_turn_secs,
            ),
        ] {
            self.known(name, help, value)?;
        }
        Ok(())
    }
}
