//! The one integration test binary: the host links once.

#![allow(clippy::unwrap_used)]

mod alerts;
mod baskets;
mod book;
mod bus;
mod calibrate;
mod compare;
mod docs;
mod doctor;
mod flood;
mod import;
mod invariants;
mod journal;
mod phantoms;
mod pictures;
mod pilot;
mod plugin;
mod published;
mod rebuild;
mod recordings;
mod report;
mod report_fold;
mod report_rows;
mod resting;
mod roles;
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
mod strategy;
mod support;
mod terminal;
mod tidy;
mod trades;
mod venues;
mod vitals;
mod web;
mod web_trades;
mod why;
