//! The one integration test binary.
#![allow(clippy::unwrap_used)]

mod services;
mod store;
mod trades;
