//! The one integration test binary.
mod tidy;
mod sim;

mod import;
mod journal;
#![allow(clippy::unwrap_used)]

mod services;
mod store;
mod trades;
#![allow(clippy::unwrap_used)]

mod plugin;
