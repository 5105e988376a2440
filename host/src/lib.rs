//! The shell of pm-arb: everything that touches the world.
//!
//! ```text
//! venue watchers ─┐ bounded                                            ┌─ store (SQLite | Postgres)
//! oracle feeds   ─┼─► runner ─► journal ─► Engine::step ─► effects ────┼─ bus (Redis)
//! operator       ─┤   stamps    append     (pm-arb-core)               ├─ control socket, terminal
//! strategy loads ─┘   seq, time                                        └─ timers (come back as events)
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// What a supervised task is given.
pub mod agent;
/// What people are told.
pub mod alerts;
/// What helps the author of a strategy.
pub mod author;
/// Waits between attempts.
pub mod backoff;
/// Messages out, commands in.
pub mod bus;
/// How good fair values were.
pub mod calibrate;
/// Numbers of markets, instruments and oracles.
pub mod catalog;
/// An error and its causes on one line.
pub mod causes;
/// The command line.
pub mod cli;
/// What time it is.
pub mod clock;
pub mod commands;
/// What each command does.
/// Two casts of strategies on the same recorded markets.
pub mod compare;
/// `pm-arb.toml`.
pub mod config;
/// How commands reach a running pilot.
pub mod control;
/// Whether two runs are the same.
pub mod digest;
/// How watchers speak to the engine.
pub mod feed;
/// What is known of every stream of market data.
pub mod feed_board;
/// Recordings become journals.
pub mod import;
/// What reaches the engine.
pub mod input;
/// Every fact of a run, in order, on disk.
pub mod journal;
/// Word left for the next pilot.
pub mod latch;
/// How far a long job has come.
pub mod meter;
/// Sockets and HTTP, with limits.
pub mod net;
/// Price feeds.
pub mod oracle;
/// Starting, watching and stopping agents.
pub mod orchestrator;
/// The running pilot.
pub mod pilot;
/// Strategies as components.
pub mod plugin;
/// The same run again.
pub mod replay;
/// What a report looks like.
pub mod report;
/// Rules of venues by date, as files.
pub mod rulebook;
/// Candidates beside what trades.
pub mod shadow;
/// Simulated venues.
pub mod sim;
/// What a running pilot shows of itself.
pub mod snapshot;
/// How sure a number is.
pub mod stats;
/// Every trade, kept.
pub mod store;
/// Standard error: log lines, the live view, progress.
pub mod terminal;
/// Venues: what they send, turned into facts.
pub mod venue;
/// How the pilot itself is.
pub mod vitals;
/// The dashboard and its API.
pub mod web;
/// Why something was not traded.
pub mod why;
