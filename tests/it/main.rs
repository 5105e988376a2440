//! The one integration test binary: the host links once.

#![allow(clippy::unwrap_used)]

mod baskets;
mod bus;
mod calibrate;
mod compare;
mod docs;
mod flood;
mod import;
mod invariants;
mod journal;
mod phantoms;
mod pilot;
mod plugin;
mod published;
mod rebuild;
mod recordings;
mod report;
mod report_fold;
mod report_rows;
mod resting;
mod rules;
mod services;
mod settlement;
mod sim;
mod store;
mod store_equity;
mod store_grading;
mod store_read;
mod store_relay;
mod store_schema;
mod support;
mod tidy;
mod trades;
mod venues;
mod why;
