//! The dashboard and its API: pages and data over HTTP, for people and programs.
//!
//! ```text
//! engine's thread ─► snapshot::Latest ─┐
//! database ─► records (read only) ─────┼─► View ─► pages (HTML, SVG) and api (JSON, CSV) ─► server
//! control socket ◄── actions ◄─────────┘
//! ```
//!
//! It has a thread and a runtime of its own and reads; the only way it changes anything is the control
//! socket, like the command line. Nothing here can make the engine wait.

/// Answers as JSON or CSV, and refusals.
pub mod answer;
/// The same data for programs.
pub mod api;
/// What every handler is given.
pub mod app;
/// Charts as SVG.
pub mod chart;
/// The frame around every page.
pub mod layout;
/// The pages.
pub mod pages;
/// What the database says, kept ready.
pub mod records;
/// How amounts, times and states look.
pub mod show;
