//! The shell of pm-arb: everything that touches the world.
//!
//! ```text
//! venue watchers ─┐ bounded                                            ┌─ store (SQLite | Postgres)
//! oracle feeds   ─┼─► runner ─► journal ─► Engine::step ─► effects ────┼─ bus (Redis)
//! operator       ─┤   stamps    append     (pm-arb-core)               ├─ control socket, status line
//! strategy loads ─┘   seq, time                                        └─ timers (come back as events)
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// What a supervised task is given.
pub mod agent;
/// Waits between attempts.
pub mod backoff;
/// Numbers of markets, instruments and oracles.
pub mod catalog;
/// What time it is.
pub mod clock;
/// `pm-arb.toml`.
pub mod config;
/// Whether two runs are the same.
pub mod digest;
/// What reaches the engine.
pub mod input;
/// Starting, watching and stopping agents.
pub mod orchestrator;
/// Strategies as components.
pub mod plugin;
/// How watchers speak to the engine.
pub mod feed;
/// What reaches the engine.
pub mod input;
/// Sockets and HTTP, with limits.
pub mod net;
/// Price feeds.
pub mod oracle;
/// Recordings become journals.
pub mod import;
/// What reaches the engine.
pub mod input;
/// Every fact of a run, in order, on disk.
pub mod journal;
/// Strategies as components.
pub mod plugin;
/// Venues: what they send, turned into facts.
pub mod venue;

pub mod sim;
/// Every trade, kept.
pub mod store;
