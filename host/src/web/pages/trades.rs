//! Trades: Every fill and every refusal; each opens to its whole story.

use crate::web::layout::Page;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/trades",
    name: "Trades",
    about: "Every fill and every refusal; each opens to its whole story.",
    panels: None,
};
