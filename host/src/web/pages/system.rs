//! System: what is wrong and what to do, then agents, feeds, database, bus, journal, clock, process, alerts.
//!
//! Every state is a word with a colour. An age that is not known says why; a part that is not configured
//! says so and is no fault.

use crate::alerts::{Level, Notice};
use crate::feed_board::{FeedRow, FeedState};
use crate::orchestrator::{AgentHealth, AgentState};
use crate::snapshot::{Problem, System, Vitals};
use crate::web::app::View;
use crate::web::layout::{Page, Panel};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::ids::Timestamp;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/system",
    name: "System",
    about: "Is the pilot itself well: agents, feeds, database, bus, journal, clock, memory, alerts.",
    panels: Some(panels),
};

/// A sample older than this is no longer of now: one is taken every second.
const OLD_SECS: f64 = 10.0;

fn panels(view: &View) -> Vec<Panel> {
    let wide = |id, title, body| Panel {
        id,
        title,
        body,
        wide: true,
    };
    let narrow = |id, title, body| Panel {
        id,
        title,
        body,
        wide: false,
    };
    let Some(snapshot) = view.pilot.as_deref() else {
        let body = html! {
            p.empty { "No pilot runs with this data folder, or it does not answer, so there is nothing to say about its health. "
                "Start one: " code { "pm-arb pilot --strategies ./strategies" } }
            @if let Some(why) = &view.records_failed {
                p { span.state.bad { "database unreachable" } " " (why) }
            }
        };
        return vec![wide("verdict", "Health", body)];
    };
    let system = &snapshot.system;
    let Some(vitals) = system.vitals.as_deref() else {
        return vec![
            wide(
                "verdict",
                "Health",
                html! { p.empty { "The first sample is being taken; it takes a second." } },
            ),
            wide("agents", "Agents", agents(system)),
        ];
    };
    let speed = (snapshot.run.source == "sim")
        .then_some("wall time, although the simulated world runs faster");
    vec![
        wide("verdict", "Health", verdict(view, system, vitals)),
        wide("feeds", "Feeds", feeds(vitals, speed)),
        wide("agents", "Agents", agents(system)),
        narrow("database", "Database", database(view, vitals)),
        narrow("journal", "Journal", journal(vitals)),
        narrow("process", "Process", process(vitals)),
        narrow("clock", "Clock", clock(vitals)),
        narrow("redis", "Redis", redis(vitals)),
        narrow("refused", "Inputs refused", refused(system)),
        wide("outward", "Alerts outward", outward(vitals)),
        wide("alerts", "Last alerts", alerts(view, vitals)),
    ]
}

fn state(class: &str, word: &str) -> Markup {
    html! { span class={ "state " (class) } { (word) } }
}

fn level(level: Level) -> Markup {
    match level {
        Level::Info => state("off", "info"),
        Level::Warning => state("warn", "warning"),
        Level::Critical => state("bad", "critical"),
    }
}

/// A span as people say it: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`.
fn span(secs: f64) -> String {
    match secs {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

fn age(secs: Option<f64>, why: &str) -> Markup {
    match secs {
        Some(secs) => html! { (span(secs)) },
        None => show::unknown(why),
    }
}

/// Bytes, rounded, with their unit.
fn bytes(n: u64) -> String {
    match n {
        n if n < 1 << 10 => format!("{n} B"),
        n if n < 1 << 20 => format!("{:.1} KiB", n as f64 / 1_024.0),
        n if n < 1 << 30 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
        n => format!("{:.1} GiB", n as f64 / 1_073_741_824.0),
    }
}

fn size(n: Option<u64>, why: &str) -> Markup {
    match n {
        Some(n) => html! { (bytes(n)) },
        None => show::unknown(why),
    }
}

/// 1234567 as 1,234,567.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn figure(name: &str, value: Markup, small: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) @if !small.is_empty() { small { (small) } } } } }
}

fn since(view: &View, at: Timestamp) -> f64 {
    view.now.0.saturating_sub(at.0) as f64 / 1e9
}

fn verdict(view: &View, system: &System, vitals: &Vitals) -> Markup {
    let old = since(view, vitals.as_of.0);
    html! {
        @if old > OLD_SECS {
            p { (state("bad", "not of now")) " This was sampled " (span(old)) " ago; the pilot samples itself every second. "
                "See its log." }
        }
        @match vitals.problems.as_slice() {
            [] => p { (state("ok", "well")) " Every agent is at work, every feed brings data, trades are stored." },
            problems => (problem_rows(problems)),
        }
        @if system.health.agents.iter().any(|agent| agent.state == AgentState::Starting) {
            p.note { "Some agents are still starting." }
        }
        p.note { "As of " (span(old)) " ago." }
    }
}

fn problem_rows(problems: &[Problem]) -> Markup {
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "What is wrong, the worst first" }
            thead { tr { th scope="col" { "Urgency" } th scope="col" { "What is wrong" } th scope="col" { "What to do" } } }
            tbody { @for problem in problems {
                tr {
                    td { (level(problem.level)) }
                    td.words { (problem.what) " " span.chip { (problem.code) } }
                    td.words { (problem.help) }
                }
            } }
        } }
    }
}

fn feed_state(feed: FeedState) -> Markup {
    let class = match feed {
        FeedState::Live => "ok",
        FeedState::Connecting | FeedState::Stale => "warn",
        FeedState::Down => "bad",
        FeedState::Idle | FeedState::Ended => "off",
    };
    state(class, feed.as_str())
}

fn feeds(vitals: &Vitals, speed: Option<&str>) -> Markup {
    if vitals.feeds.is_empty() {
        return html! { p.empty { "No feed has started yet. They start after the strategies; each appears here as it does." } };
    }
    let lag = |ms: Option<f64>| match ms {
        Some(ms) => html! { (format!("{ms:.1}")) },
        None => show::unknown("nothing with a time of its own has come yet"),
    };
    let row = |feed: &FeedRow| {
        html! { tr {
            th scope="row" { (feed.name) " " span.note { (feed.carries) } }
            td { (feed_state(feed.state)) }
            td.num { (span(feed.for_secs)) }
            td.num { (age(feed.data_age_secs, "no data yet")) }
            td.num { (age(feed.message_age_secs, "no message yet")) }
            td.num { (lag(feed.lag_median_ms)) }
            td.num { (lag(feed.lag_p99_ms)) }
            td.num { (count(feed.gaps)) }
            td.num { (count(feed.reconnects)) }
            td.num { (count(feed.messages)) " " span.note { (bytes(feed.bytes)) } }
            td.num { (span(feed.bad_secs)) }
            td.words { (feed.last_error.as_deref().unwrap_or("none")) }
        } }
    };
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "Every stream of market data" }
            thead { tr {
                th scope="col" { "Stream" } th scope="col" { "State" } th.num scope="col" { "For" }
                th.num scope="col" { "Last data" } th.num scope="col" { "Last message" }
                th.num scope="col" { "Lag median, ms" } th.num scope="col" { "Lag p99, ms" }
                th.num scope="col" { "Gaps" } th.num scope="col" { "Reconnects" } th.num scope="col" { "Messages" } th.num scope="col" { "Without data" }
                th scope="col" { "Last interruption" }
            } }
            tbody { @for feed in &vitals.feeds { (row(feed)) } }
        } }
        p.note {
            "Live means that data comes, not that a socket is open. Lag is from the source's stamp to our receipt, of the last "
            (crate::feed_board::LAGS) " messages" @if let Some(speed) = speed { ", in " (speed) }
            "; a negative lag means that the source's clock is ahead of ours. A gap makes what it tells of untrusted until the next whole word. "
            a href="/api/v1/feeds?format=csv" { "As CSV" }
        }
    }
}

fn agent_state(agent: &AgentHealth) -> Markup {
    match agent.state {
        AgentState::Running => state("ok", "running"),
        AgentState::Starting => state("warn", "starting"),
        AgentState::Backoff => state("warn", "restarting"),
        AgentState::Failed => state("bad", "given up"),
        AgentState::Stopped => state("off", "stopped"),
    }
}

fn agents(system: &System) -> Markup {
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "Every agent with its last progress" }
            thead { tr {
                th scope="col" { "Agent" } th scope="col" { "State" } th.num scope="col" { "Heartbeat" }
                th.num scope="col" { "Restarts" } th scope="col" { "Says" } th scope="col" { "Last error" }
            } }
            tbody { @for agent in &system.health.agents { tr {
                th scope="row" { (agent.name) }
                td { (agent_state(agent)) }
                td.num { (age(agent.last_heartbeat_secs, "it has made no progress yet")) }
                td.num { (agent.restarts) }
                td.words { (agent.detail.as_deref().unwrap_or("nothing")) }
                td.words { (agent.last_error.as_deref().unwrap_or("none")) }
            } } }
        } }
        p.note { "A heartbeat is progress, not a timer: age since the last. " (system.health.agents.len())
            " agents; the pilot has been up for " (span(system.health.uptime_secs)) ". "
            a href="/api/v1/agents?format=csv" { "As CSV" } }
    }
}

fn database(view: &View, vitals: &Vitals) -> Markup {
    let database = &vitals.database;
    let (class, word) = match (&database.fatal, database.failing_secs) {
        (Some(_), _) => ("bad", "refuses"),
        (None, Some(_)) => ("bad", "away"),
        (None, None) => ("ok", "stores"),
    };
    html! {
        p { (state(class, word)) " " (database.kind) ", " code { (database.at) } }
        @if let Some(secs) = database.failing_secs {
            p { "Nothing could be written for " (span(secs as f64)) ". What waits is in the journal and is sent when it is back." }
        }
        @if let Some(why) = database.fatal.as_ref().or(database.last_error.as_ref()) {
            p.note { "Last failure: " (why) }
        }
        @if let Some(why) = &view.records_failed {
            p { (state("warn", "pages can not read it")) " " (why) }
        }
        dl.figures {
            (figure("Waiting", html! { (count(database.backlog)) }, "changes"))
            (figure("Written", html! { (count(database.inserted.saturating_add(database.updated))) }, "rows and changes, by this process"))
            (figure("Last write", age(database.written_secs.map(|s| s as f64), "nothing was written yet"), "ago"))
            (figure("Failed attempts", html! { (count(database.failures)) }, ""))
            @if database.kind == "sqlite" {
                (figure("File", size(database.file_bytes, "the file can not be looked at"), "with its log"))
            }
        }
    }
}

fn journal(vitals: &Vitals) -> Markup {
    let journal = &vitals.journal;
    let full = match journal.days_left {
        Some(days) if days > 3_650.0 => "full in more than ten years at this rate".to_owned(),
        Some(days) => format!("full in about {days:.0} days at this rate"),
        None => "no rate known yet".to_owned(),
    };
    let rate = match journal.bytes_per_sec {
        Some(rate) => html! { (bytes(rate as u64)) "/s" },
        None => show::unknown("measured over the first half minute"),
    };
    html! {
        p { "Folder " code { (journal.folder) } }
        dl.figures {
            (figure("Last flush", age(journal.flushed_secs, "nothing was flushed yet"), "ago"))
            (figure("Records", html! { (count(journal.records)) }, "of the whole run"))
            (figure("Size", html! { (bytes(journal.bytes)) }, &format!("{} segments", journal.segments)))
            (figure("Grows", rate, "over the last five minutes"))
            (figure("Free on its disk", size(journal.free_bytes, "the disk does not say"), &full))
        }
    }
}

fn process(vitals: &Vitals) -> Markup {
    let process = &vitals.process;
    let number = |n: Option<u64>| match n {
        Some(n) => html! { (count(n)) },
        None => show::unknown("the system does not say"),
    };
    let limit = process
        .open_files_max
        .map_or(String::new(), |max| format!("of {}", count(max)));
    let program = &vitals.program;
    html! {
        dl.figures {
            (figure("Memory", size(process.resident_bytes, "the system does not say"), "resident"))
            (figure("Threads", number(process.threads), ""))
            (figure("Open files", number(process.open_files), &limit))
            (figure("Up", html! { (span(process.uptime_secs)) }, &format!("process {}", process.pid)))
            (figure("Engine's last turn", age(process.engine_turn_secs, "it has not turned yet"), "ago"))
        }
        p.note {
            "pm-arb " (program.version) ", contract " code { (program.contract) } ", configuration "
            @match &program.config_file {
                Some(file) => code { (file) },
                None => "none: the defaults",
            }
        }
    }
}

fn clock(vitals: &Vitals) -> Markup {
    if vitals.clocks.is_empty() {
        return html! { p.empty { (show::unknown("nobody was asked")) " Our clock was compared with nobody's yet: it is, whenever a venue answers over HTTP. "
        "A recording is asked nothing." } };
    }
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "Our clock against those of venues" }
            thead { tr { th scope="col" { "Against" } th.num scope="col" { "Ours ahead, ms" } th.num scope="col" { "±, ms" } th.num scope="col" { "Compared" } } }
            tbody { @for clock in &vitals.clocks { tr {
                th scope="row" { (clock.source) }
                td.num { (format!("{:+.0}", clock.skew_ms)) }
                td.num { (format!("{:.0}", clock.within_ms)) }
                td.num { (span(clock.age_secs)) " ago" }
            } } }
        } }
        p.note { "From the dates of HTTP answers, which tell whole seconds: less than half a second is not seen." }
    }
}

fn redis(vitals: &Vitals) -> Markup {
    let Some(redis) = &vitals.redis else {
        return html! { p { (state("off", "not configured")) " Nothing needs it. To publish what happens, start the pilot with "
        code { "--redis-url redis://…" } "." } };
    };
    let (class, word) = if redis.connected {
        ("ok", "connected")
    } else {
        ("warn", "away")
    };
    html! {
        p { (state(class, word)) @if !redis.connected { " Trading goes on without it; messages wait, and the oldest are given up." } }
        @if let Some(why) = &redis.last_error { p.note { "Last failure: " (why) } }
        dl.figures {
            (figure("Published", html! { (count(redis.published)) }, "messages"))
            (figure("Waiting", html! { (count(redis.waiting)) }, ""))
            (figure("Given up", html! { (count(redis.dropped)) }, "too many waited"))
            (figure("Commands", html! { (count(redis.commands)) }, &format!("{} messages were none", redis.refused)))
        }
    }
}

fn refused(system: &System) -> Markup {
    if system.refused_inputs.is_empty() {
        return html! { p.empty { "None: everything that venues and oracles sent since the run began could be used." } };
    }
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "Inputs refused since the run began, by reason" }
            thead { tr { th scope="col" { "Reason" } th.num scope="col" { "Inputs" } } }
            tbody { @for row in &system.refused_inputs { tr {
                th scope="row" { span.chip { (row.reason) } }
                td.num { (count(row.count)) }
            } } }
        } }
    }
}

fn outward(vitals: &Vitals) -> Markup {
    html! {
        @if vitals.targets.is_empty() {
            p { (state("off", "not configured")) " Alerts stay on this page. To be told elsewhere, add "
                code { "[[alerts.targets]]" } " to the configuration and try it with " code { "pm-arb alerts test" } "." }
        } @else {
            div.scroll tabindex="0" { table.rows {
                caption.only-read { "Where alerts go" }
                thead { tr { th scope="col" { "Target" } th scope="col" { "State" } th.num scope="col" { "Sent" } th.num scope="col" { "Waiting" }
                    th.num scope="col" { "Retries" } th.num scope="col" { "Lost" } th scope="col" { "Last failure" } } }
                tbody { @for target in &vitals.targets { tr {
                    th scope="row" { (target.name) }
                    td { @if target.failing { (state("bad", "failing")) } @else if target.sent > 0 { (state("ok", "takes them")) } @else { (state("off", "not tried yet")) } }
                    td.num { (count(target.sent)) }
                    td.num { (count(target.waiting)) }
                    td.num { (count(target.retries)) }
                    td.num { (count(target.lost)) }
                    td.words { (target.last_error.as_deref().unwrap_or("none")) }
                } } }
            } }
        }
        @match &vitals.dead_man {
            None => p.note { "Dead man's switch: not configured." },
            Some(ping) => p.note {
                "Dead man's switch: " @if ping.failing { (state("bad", "not reached")) } @else { (state("ok", "pinged")) } " "
                (count(ping.sent)) " pings, " (count(ping.withheld)) " withheld because the engine stood still, "
                (count(ping.failed)) " not answered."
            },
        }
    }
}

fn alerts(view: &View, vitals: &Vitals) -> Markup {
    if vitals.alerts.is_empty() {
        return html! { p.empty { "None since the pilot started. What lasts longer than its grace, and what the engine wants a person to know, appears here." } };
    }
    let row = |notice: &Notice| {
        html! { tr {
            td { @if notice.over { (state("ok", "over")) } @else { (level(notice.level)) } }
            td.num { time datetime=(notice.at) { (span(since(view, notice.at.0))) " ago" } }
            td { span.chip { (notice.code) } @if !notice.about.is_empty() { " " (notice.about) } }
            td.words { (notice.text) @if notice.count > 1 { " (×" (notice.count) ")" } }
        } }
    };
    html! {
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "The last alerts, newest first" }
            thead { tr { th scope="col" { "Urgency" } th.num scope="col" { "When" } th scope="col" { "Code" } th scope="col" { "What" } } }
            tbody { @for notice in &vitals.alerts { (row(notice)) } }
        } }
        p.note { a href="/api/v1/alerts?format=csv" { "As CSV" } ", at most " (crate::alerts::RECENT) "." }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn spans_sizes_and_counts_are_readable() {
        for (secs, text) in [
            (0.04, "0.0 s"),
            (9.96, "10.0 s"),
            (12.4, "12 s"),
            (300.0, "5 min"),
            (7_200.0, "2 h"),
            (864_000.0, "10 d"),
        ] {
            assert_eq!(span(secs), text);
        }
        assert_eq!(
            (bytes(1_023).as_str(), bytes(1_536).as_str()),
            ("1023 B", "1.5 KiB")
        );
        assert_eq!(
            (count(7).as_str(), count(1_234_567).as_str()),
            ("7", "1,234,567")
        );
    }

    #[test]
    fn without_a_pilot_the_page_says_so_and_shows_no_number() {
        let panels = panels(&View::default());
        assert_eq!(panels.len(), 1);
        let text = panels[0].body.clone().into_string();
        assert!(text.contains("No pilot runs") && !text.contains("<dd>"));
    }
}
