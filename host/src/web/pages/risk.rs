//! Risk: Every limit and how much of it is used; what was denied; the kill switch.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/risk",
    name: "Risk",
    about: "Every limit and how much of it is used; what was denied; the kill switch.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
