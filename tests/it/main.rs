//! The one integration test binary.

mod journal;
