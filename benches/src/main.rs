//! Measurements beside peers.
fn main() {}
