//! Calibration: How good the fair values were, against the market and the outcomes.

use crate::web::layout::Page;

use crate::web::app::View;
use crate::web::layout::Panel;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/calibration",
    name: "Calibration",
    about: "How good the fair values were, against the market and the outcomes.",
    panels: Some(panels),
};

fn panels(_view: &View) -> Vec<Panel> {
    Vec::new()
}
