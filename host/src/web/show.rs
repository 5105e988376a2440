//! How amounts, times and states look: one way each, everywhere.
//!
//! Unknown is an em dash with its reason in words for those who hover or listen, never a zero. Amounts
//! are rounded down to cents (`report::text`), so that no page flatters.

use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// An amount with its sign, gains and losses told apart by sign and colour.
#[must_use]
pub fn money(amount: Usd) -> Markup {
    let class = match amount.0.signum() {
        1 => "gain",
        -1 => "loss",
        _ => "even",
    };
    html! { span class=(class) { (crate::report::signed(amount)) } }
}

/// What is not known, and why.
#[must_use]
pub fn unknown(why: &str) -> Markup {
    html! { span.unknown title=(why) { "—" span.only-read { " (" (why) ")" } } }
}
