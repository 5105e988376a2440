//! The simulated venues, over real sockets: the world is the same for the same seed, the wire says
//! what the venues' wires say, and each fault does what its name promises.
#![allow(clippy::unwrap_used)]

mod faults;
mod kalshi_binance;
mod polymarket;
mod wire;
mod world;

/// A quarter-hour boundary in September 2026.
const ORIGIN_S: u64 = 1_790_000_100;
/// The configured lag of the makers.
const LAG_MS: u64 = 2_000;
