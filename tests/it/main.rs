//! The one integration test binary.
mod tidy;
mod sim;

mod import;
mod journal;
