//! The pure core of pm-arb: record in, effects out.
