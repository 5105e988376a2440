//! The pure core of pm-arb: record in, effects out.
//!
//! ```text
//! Record ─► Engine::step ─► book/oracle ─► scanner ─► strategies ─► allocator + risk ─► paper ─► ledger ─► Vec<Effect>
//! ```
//!
//! No I/O, clock, randomness, thread, async or hash-ordered container is reachable from here, and no
//! float outside [`fair_value`]: the same records give the same effects on every machine.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// One instrument's levels, and whether they may be used.
pub mod book;
/// Settings of a run.
pub mod config;
/// What the engine wants done.
pub mod effect;
/// What can happen.
pub mod event;
/// What an outcome is worth, given its oracle.
pub mod fair_value;
/// Names of things.
pub mod ids;
/// The money, in double entry.
pub mod ledger;
/// What a market is.
pub mod market;
/// Specifications, books and oracles of the moment, and their indices.
pub mod market_data;
/// What an edge looks like.
pub mod opportunity;
/// What is held.
pub mod position;
/// One price feed: its last value and its values by second.
pub mod oracle;
/// Why something did not happen.
pub mod reason;
/// What a run came to.
pub mod report;
/// The port for strategies.
pub mod strategy;
/// Money and quantities.
pub mod units;
