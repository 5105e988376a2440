//! The ghost gap: what the same wishes come to naively and honestly, as a dial and cause by cause.
//!
//! Owns the sums over all strategies. The parts are the report's; here they are only added and drawn.

use super::parts::{self, grouped};
use crate::report::gap::GapParts;
use crate::store::analysis::{HONEST, MID, Made, NAIVE};
use crate::web::app::View;
use crate::web::chart::dial;
use crate::web::chart::waterfall::Waterfall;
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::{Qty, Rounding, Usd};

/// The three executors of all strategies together, and where the gap comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gap {
    /// Approved wishes whose markets have paid.
    pub wishes: u64,
    /// Naive, mid, honest.
    pub made: [Made; 3],
    /// Where the difference comes from.
    pub parts: GapParts,
}

impl Gap {
    /// Of all runs in the database; `None` before they were summed up.
    #[must_use]
    pub fn of(view: &View) -> Option<Self> {
        let report = view.history.as_ref()?.all.as_ref()?;
        let mut sum = Self::default();
        for one in &report.figures.strategies {
            let e = &one.execution;
            sum.add(e.wishes, e.made, e.gap);
        }
        Some(sum)
    }

    fn add(&mut self, wishes: u64, made: [Made; 3], parts: GapParts) {
        self.wishes = self.wishes.saturating_add(wishes);
        for (to, more) in self.made.iter_mut().zip(made) {
            to.qty = Qty(to.qty.0.saturating_add(more.qty.0));
            to.pnl = Usd(to.pnl.0.saturating_add(more.pnl.0));
        }
        self.parts.add(parts);
    }

    /// What that executor gained or lost.
    #[must_use]
    pub fn pnl(&self, executor: usize) -> Usd {
        self.made.get(executor).map_or(Usd::ZERO, |m| m.pnl)
    }

    /// Naive less honest.
    #[must_use]
    pub fn dollars(&self) -> Usd {
        minus(self.pnl(NAIVE), self.pnl(HONEST))
    }

    /// The same for every share that the naive executor booked, rounded up; `None` without any.
    #[must_use]
    pub fn per_share(&self) -> Option<Usd> {
        let [naive, ..] = self.made;
        let per = self.dollars().per(naive.qty, Rounding::Up)?;
        Some(Usd(per.0))
    }

    /// From naive to honest, cause by cause.
    #[must_use]
    pub fn waterfall(&self) -> Waterfall<'static> {
        let taken = |(name, part): (&'static str, Usd)| (name, Usd(part.0.saturating_neg()));
        Waterfall {
            from: ("Naive", self.pnl(NAIVE)),
            parts: self.parts.named().into_iter().map(taken).collect(),
            to: "Honest",
        }
    }
}

fn minus(a: Usd, b: Usd) -> Usd {
    Usd(a.0.saturating_sub(b.0))
}

/// The dial.
pub fn dial_panel(view: &View) -> Markup {
    let Some(gap) = Gap::of(view) else {
        return parts::no_sums(view);
    };
    let Some(per_share) = gap.per_share().filter(|_| gap.wishes > 0) else {
        return html! { (nothing_paid()) (parts::counted(view)) };
    };
    html! {
        p { (sentence(&gap, per_share)) }
        (dial::dial("Ghost gap", "How much a share naive paper trading flatters; to the left honest fills were better.", per_share))
        (parts::counted(view))
    }
}

/// The waterfall.
pub fn waterfall_panel(view: &View) -> Markup {
    let Some(gap) = Gap::of(view) else {
        return parts::no_sums(view);
    };
    if gap.wishes == 0 {
        return nothing_paid();
    }
    html! {
        (gap.waterfall().draw("From naive to honest", "What naive bookkeeping made up or missed, cause by cause; the bars add up exactly."))
        p.note {
            (grouped(gap.wishes)) " approved wishes whose markets have paid. Filled at the middle of the book they would have made "
            (show::money(gap.pnl(MID))) ". " a href="/trades" { "Trade by trade" }
        }
    }
}

fn nothing_paid() -> Markup {
    html! {
        p.empty {
            "No gap yet: the same wishes are booked naively and honestly, and compared once their markets have paid. None has."
        }
    }
}

fn sentence(gap: &Gap, per_share: Usd) -> Markup {
    let said = dial::cents(per_share);
    let cents = said.trim_start_matches(['+', '-']);
    html! {
        "Naive paper: " (show::money(gap.pnl(NAIVE))) ". Honest: " (show::money(gap.pnl(HONEST))) ". "
        @match per_share.0.signum() {
            1 => { "Naive inflates by " strong { (cents) } " a share." },
            -1 => { "Honest fills were better by " strong { (cents) } " a share." },
            _ => { "They agree." },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn parts()(amounts in prop::array::uniform5(-1_000_000_000_000i64..1_000_000_000_000)) -> GapParts {
            let [quote, depth, fees, unfilled, exits] = amounts.map(Usd);
            GapParts { quote, depth, fees, unfilled, exits }
        }
    }

    proptest! {
        #[test]
        fn the_bars_lead_from_naive_to_honest_exactly(
            of in prop::collection::vec((parts(), -1_000_000_000_000i64..1_000_000_000_000), 1..6),
        ) {
            // Each strategy's parts add up to its gap; so do all together.
            let mut sum = Gap::default();
            for (parts, naive) in of {
                let made = |pnl| Made { qty: Qty(1_000_000), pnl: Usd(pnl) };
                let honest = naive - parts.sum().0;
                sum.add(1, [made(naive), made(0), made(honest)], parts);
            }
            let falls = sum.waterfall();
            prop_assert_eq!(falls.end(), sum.pnl(HONEST));
            let taken: i64 = falls.parts.iter().map(|p| p.1.0).sum();
            prop_assert_eq!(-taken, sum.dollars().0);
        }
    }

    #[test]
    fn cents_are_rounded_away_from_what_flatters() {
        let said = |micro| sentence(&Gap::default(), Usd(micro)).into_string();
        assert!(
            said(70_001).contains("inflates by <strong>7.01 ¢"),
            "{}",
            said(70_001)
        );
        assert!(said(-2_500).contains("better by <strong>0.25 ¢"));
        assert!(said(0).contains("They agree"));
    }
}
