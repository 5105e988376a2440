//! The one integration test binary.
#![allow(clippy::unwrap_used)]

mod bus;
mod report;
mod services;
mod store;
mod store_read;
mod store_relay;
mod store_schema;
mod trades;
