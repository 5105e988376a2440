//! The pages, in the order of the navigation: a file each.

mod calibration;
pub(in crate::web) mod gap;
mod how;
mod monitor;
mod overview;
pub(in crate::web) mod parts;
mod risk;
#[cfg(test)]
pub(in crate::web) mod samples;
mod strategies;
mod system;
mod trades;
mod why;

use super::app::App;
use super::layout::Page;
use axum::Router;

/// Every page of the navigation.
pub const PAGES: [Page; 9] = [
    overview::PAGE,
    monitor::PAGE,
    strategies::PAGE,
    trades::PAGE,
    risk::PAGE,
    system::PAGE,
    why::PAGE,
    calibration::PAGE,
    how::PAGE,
];

/// The routes of pages with questions of their own, each in its page's file.
pub fn routes() -> Router<App> {
    Router::new()
}
