//! The one integration test binary: the host links once.

#![allow(clippy::unwrap_used)]

mod bus;
mod docs;
mod import;
mod journal;
mod pilot;
mod plugin;
mod recordings;
mod report;
mod resting;
mod services;
mod sim;
mod store;
mod store_read;
mod store_relay;
mod store_schema;
mod support;
mod tidy;
mod trades;
mod venues;
