//! Why not?: Where ideas end on the way from a market to a settled trade, and why.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/why",
    name: "Why not?",
    about: "Where ideas end on the way from a market to a settled trade, and why.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
