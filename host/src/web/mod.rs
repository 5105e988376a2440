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

/// What a viewer may do.
mod actions;
/// Answers as JSON or CSV, and refusals.
pub mod answer;
/// The same data for programs.
pub mod api;
/// What every handler is given.
pub mod app;
/// Stylesheet, script, icon.
pub mod assets;
/// Charts as SVG.
pub mod chart;
/// Where it listens.
pub mod door;
/// Who is let in.
pub mod guard;
/// The frame around every page.
pub mod layout;
/// Pages that live.
pub mod live;
/// The pages.
pub mod pages;
mod patient;
/// What the database says, kept ready.
pub mod records;
/// Every route.
pub mod routes;
/// Connections with limits.
pub mod server;
/// How amounts, times and states look.
pub mod show;

pub use door::{DashboardConfig, Door, DoorError};

/// Whether the process lives: the one route that never needs a token.
pub const HEALTHZ: &str = "/healthz";
/// Asks the browser for the token, so that actions need not.
pub const UNLOCK: &str = "/unlock";
