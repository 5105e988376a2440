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
/// Redis.
pub mod bus;
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
/// What `pm-arb report` says.
pub mod report;
/// Every trade, kept.
pub mod store;
