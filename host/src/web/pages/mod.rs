//! The pages, in the order of the navigation: a file each.

pub mod calibration;
pub(in crate::web) mod gap;
pub mod how;
mod monitor;
mod overview;
pub(in crate::web) mod parts;
mod risk;
#[cfg(test)]
pub(in crate::web) mod samples;
mod shadow;
mod strategies;
mod strategy;
mod system;
/// One trade; [`trades`] has its route.
pub mod trade;
/// The list, with its routes.
pub mod trades;
mod why;

use super::app::App;
use super::layout::Page;
use axum::Router;

#[cfg(test)]
pub(crate) use strategy::tests as fixtures;

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

/// Pages with live panels and a handler of their own: both a form and something that moves.
pub const WITH_HANDLER: [&str; 1] = [how::PAGE.path];

/// The routes of pages with questions of their own, each in its page's file.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(strategy::routes())
        .merge(how::routes())
        .merge(trades::routes())
        .merge(why::routes())
}
