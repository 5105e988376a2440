//! The shell of pm-arb: everything that touches the world.

/// Simulated venues behind real sockets.
pub mod sim;
