//! What helps the author of a strategy, without a pilot: what a component is, whether it fits, how it
//! behaves, what it earns on a recording, what it costs.
//!
//! ```text
//! file ─► check (world, words) ─► trial: canned and recorded events, everything twice
//!                               ├► backtest: one strategy on a run, reported as `pm-arb report` does
//!                               └► bench: time and fuel of an event, beside native code
//! ```
//!
//! Everything runs under the limits and through the calls of the pilot. Nothing here writes into a run.

/// What a strategy earns on a recorded run.
pub mod backtest;
/// What a component is, and whether it fits.
pub mod check;
/// Capabilities, topics and limits in words.
pub mod words;
/// The types of a component, beside those of the contract.
pub mod world;
