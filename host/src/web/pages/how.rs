//! How It Works: The idea, computed here and now by the code that trades.

use crate::web::layout::Page;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/how-it-works",
    name: "How It Works",
    about: "The idea, computed here and now by the code that trades.",
    panels: None,
};
