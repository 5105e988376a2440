//! The one integration test binary: the host links once.

#![allow(clippy::unwrap_used)]

mod docs;
mod import;
mod journal;
mod pilot;
mod plugin;
mod services;
mod sim;
mod store;
mod support;
mod tidy;
mod trades;
