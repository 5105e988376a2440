//! The pure core of pm-arb: record in, effects out.
//!
//! ```text
//! Record ─► Engine::step ─► book/oracle ─► scanner ─► strategies ─► allocator + risk ─► paper ─► ledger ─► Vec<Effect>
//! ```
//!
//! No I/O, clock, randomness, thread, async or hash-ordered container is reachable from here, and no
//! float outside [`fair_value`]: the same records give the same effects on every machine.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// Shares capital and sets it aside.
pub mod allocator;
/// One instrument's levels, and whether they may be used.
pub mod book;
/// What a strategy may.
pub mod capabilities;
/// Fills by the rules of other backtesters.
pub mod compat;
/// Settings of a run.
pub mod config;
/// What the engine wants done.
pub mod effect;
/// Puts the stages in order.
pub mod engine;
/// What can happen.
pub mod event;
/// What an outcome is worth, given its oracle.
pub mod fair_value;
#[cfg(test)]
mod fixtures;
/// Where everything went that entered a stage.
pub mod funnel;
/// What executors that are not honest would have booked.
pub mod grade;
/// Names of things.
pub mod ids;
/// How long an order travels.
pub mod latency;
/// The money, in double entry.
pub mod ledger;
/// What a market is.
pub mod market;
/// Specifications, books and oracles of the moment, and their indices.
pub mod market_data;
/// What an edge looks like.
pub mod opportunity;
/// One price feed: its last value and its values by second.
pub mod oracle;
/// An order's life.
pub mod order;
/// Fills on paper.
pub mod paper;
/// What is held.
pub mod position;
/// Where our orders stand in the queues of their levels.
pub mod queue;
/// Why something did not happen.
pub mod reason;
/// Which outcome can not happen without another.
pub mod relation;
/// What a run came to.
pub mod report;
/// Orders that wait in their markets.
pub mod resting;
/// Approves or denies.
pub mod risk;
/// Rules of venues by date.
pub mod rulebook;
/// Edges net of fees, or the reason for none.
pub mod scanner;
/// What a market came to.
pub mod settlement;
/// The port for strategies.
pub mod strategy;
/// Whether somebody really traded there.
pub mod tape;
/// Money and quantities.
pub mod units;
