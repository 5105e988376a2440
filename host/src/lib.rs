//! The shell of pm-arb: everything that touches the world.

pub mod sim;
