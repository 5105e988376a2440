//! What helps the author of a strategy, without a pilot: a project to start from and its building; what a
//! component is, whether it fits, how it behaves, what it earns on a recording, what it costs.
//!
//! ```text
//! new ─► project (Rust, Python, JavaScript) ─► build, or watch: build on every save ─► file
//!
//! file ─► check (world, words) ─► trial: canned and recorded events, everything twice
//!                               ├► backtest: one strategy on a run, reported as `pm-arb report` does
//!                               └► bench: time and fuel of an event, beside native code
//! ```
//!
//! Everything runs under the limits and through the calls of the pilot. Nothing here writes into a run.

/// What a strategy earns on a recorded run.
pub mod backtest;
/// What its calls cost.
pub mod bench;
/// From a project to a component.
pub mod build;
/// Events that every strategy should live through.
pub mod canned;
/// What a component is, and whether it fits.
pub mod check;
/// The same strategy, compiled for this machine.
pub mod native;
/// A project to start from.
pub mod new;
/// What is written, and in which language.
pub mod project;
/// A recorded run, told to a strategy.
pub mod tape;
/// Compilers of others, run within bounds.
pub mod tool;
/// Each language's way from sources to a component.
mod toolchain;
/// What a strategy does with events.
pub mod trial;
/// A build on every save.
pub mod watch;
/// Capabilities, topics and limits in words.
pub mod words;
/// The types of a component, beside those of the contract.
pub mod world;
