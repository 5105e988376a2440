//! System: Agents, feeds, database, bus, journal, clock, memory, alerts.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/system",
    name: "System",
    about: "Agents, feeds, database, bus, journal, clock, memory, alerts.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
