//! The frame around every page: head, navigation, status strip, panels.
//!
//! A page is a list of panels. Live pages are a function of the [`View`] alone, so that their panels can
//! be drawn again and pushed to every viewer when the view changes; pages with questions of their own
//! (trades, one trade, sliders) have handlers and use the same frame.

use super::app::View;
use maud::{DOCTYPE, Markup, html};

/// A region of a page that is replaced as a whole when it changes. Forms stay out of live panels.
pub struct Panel {
    /// Unique in its page; stable.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it shows.
    pub body: Markup,
    /// As wide as the page, not one column of it.
    pub wide: bool,
}

/// A page of the navigation.
pub struct Page {
    /// Its stable URL.
    pub path: &'static str,
    /// Its name in the navigation and its heading.
    pub name: &'static str,
    /// One sentence under the heading: what is to be seen here.
    pub about: &'static str,
    /// Its live panels; `None` for a page with a handler of its own.
    pub panels: Option<fn(&View) -> Vec<Panel>>,
}

/// A whole document.
#[must_use]
pub fn document(view: &View, page: &Page, panels: &[Panel]) -> Markup {
    let _ = view;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.name) " · pm-arb" }
            }
            body {
                main { h1 { (page.name) } p { (page.about) } @for panel in panels { (section(panel)) } }
            }
        }
    }
}

/// One panel, as it stands in a page and as it is pushed.
#[must_use]
pub fn section(panel: &Panel) -> Markup {
    html! {
        section.panel.wide[panel.wide] id=(panel.id) aria-labelledby={ (panel.id) "-title" } {
            h2 id={ (panel.id) "-title" } { (panel.title) }
            (panel.body)
        }
    }
}
