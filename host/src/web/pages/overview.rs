//! Overview: Is it healthy, does it earn money honestly, what is at stake.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/",
    name: "Overview",
    about: "Is it healthy, does it earn money honestly, what is at stake.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
