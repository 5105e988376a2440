//! Strategies: Who earns what with which capital, which version runs, what may be done to it.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/strategies",
    name: "Strategies",
    about: "Who earns what with which capital, which version runs, what may be done to it.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
