//! Pilot Monitor: The pilot right now: profit, trades, prices, what it waits for.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/monitor",
    name: "Pilot Monitor",
    about: "The pilot right now: profit, trades, prices, what it waits for.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
