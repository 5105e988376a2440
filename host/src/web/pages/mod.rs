//! The pages, in the order of the navigation: a file each.

mod calibration;
mod how;
mod monitor;
mod overview;
mod risk;
mod strategies;
mod system;
/// One trade, with its routes.
pub mod trade;
/// The list, with its routes.
pub mod trades;
mod why;

use super::layout::Page;

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
