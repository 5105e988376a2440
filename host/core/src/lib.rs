//! The pure core of pm-arb: record in, effects out.
//!
//! ```text
//! Record ─► Engine::step ─► book/oracle ─► scanner ─► strategies ─► allocator + risk ─► paper ─► ledger ─► Vec<Effect>
//! ```
//!
//! No I/O, clock, randomness, thread, async or hash-ordered container is reachable from here, and no
//! float outside [`fair_value`]: the same records give the same effects on every machine.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// Settings of a run.
pub mod config;
/// What the engine wants done.
pub mod effect;
/// What can happen.
pub mod event;
/// Names of things.
pub mod ids;
/// The money, in double entry.
pub mod ledger;
/// What a market is.
pub mod market;
/// What an edge looks like.
pub mod opportunity;
/// What is held.
pub mod position;
/// Why something did not happen.
pub mod reason;
/// What a run came to.
pub mod report;
/// The port for strategies.
pub mod strategy;
/// Money and quantities.
pub mod units;
