//! What becomes of rows on their way into a report: which hang together, where they are counted.

use pm_arb::report::By;
use pm_arb::report::fold::{Figures, Fold};
use pm_arb::report::verdict::Ruling;
use pm_arb::store::analysis::Fill;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Qty, Usd};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Ten shares that gained `pnl` millionths.
fn fill(intent: u64, leg: i64, market: &str, pnl: i64) -> Fill {
    Fill {
        intent: ("run".into(), format!("{intent:06}")),
        leg,
        strategy: "s".into(),
        kind: "mispricing".into(),
        family: "above".into(),
        market: market.into(),
        slug: market.into(),
        decided: Timestamp(20_000 * DAY),
        closes: Timestamp(20_000 * DAY + 90 * SECOND),
        qty: Qty(10_000_000),
        expected_edge: Usd(20_000),
        status: "resolved".into(),
        pnl: Some(Usd(pnl)),
        tape: None,
    }
}

fn figures(by: Option<By>, fills: impl IntoIterator<Item = Fill>) -> Figures {
    let mut fold = Fold::new(by);
    for fill in fills {
        fold.fill(fill).unwrap();
    }
    fold.figures()
}

#[test]
fn markets_that_were_traded_together_are_one() {
    // a–b and b–c by intents with two legs; d alone: two independent markets.
    let figures = figures(
        None,
        [
            fill(1, 0, "a", 5_000_000),
            fill(1, 1, "b", -4_000_000),
            fill(2, 0, "c", -4_000_000),
            fill(2, 1, "b", 5_000_000),
            fill(3, 0, "d", 7_000_000),
        ],
    );
    let verdict = &figures.strategies[0].verdict;
    assert_eq!((verdict.markets, verdict.trades), (2, 5));
    // Each draw is {2, 7} twice: 4, 9 or 14.
    let range = verdict.interval.unwrap();
    assert_eq!((range.low, range.high), (Usd(4_000_000), Usd(14_000_000)));
}

#[test]
fn a_promise_is_for_shares_of_a_leg_and_ends_with_the_last_leg() {
    let open = Fill {
        status: "open".into(),
        pnl: None,
        ..fill(3, 1, "d", 0)
    };
    let figures = figures(
        None,
        [
            // Two legs of ten shares: ten shares of a basket.
            fill(1, 0, "a", 900_000),
            fill(1, 1, "b", -800_000),
            // One leg in two fills: twenty shares.
            fill(2, 0, "c", 100_000),
            fill(2, 0, "c", 100_000),
            // A leg is still held: no result yet, although the other leg has ended.
            fill(3, 0, "c", 50_000_000),
            open,
        ],
    );
    let forecast = figures.strategies[0].forecast.as_ref().unwrap();
    assert_eq!((forecast.intents, forecast.shares), (2, Qty(30_000_000)));
    assert_eq!(
        (forecast.claimed, forecast.realised),
        (Usd(20_000), Usd(10_000))
    );
    // The ended leg of the third counts as a trade.
    assert_eq!(figures.all.trades, 5);
}

#[test]
fn time_left_is_classed_by_its_upper_end() {
    for (left, name) in [
        (0, "under 10 s"),
        (9, "under 10 s"),
        (10, "10 to 30 s"),
        (59, "30 to 60 s"),
        (60, "1 to 2 min"),
        (299, "2 to 5 min"),
        (899, "5 to 15 min"),
        (3_599, "15 to 60 min"),
        (21_599, "1 to 6 h"),
        (86_399, "6 to 24 h"),
        (86_400, "a day and more"),
    ] {
        let one = Fill {
            closes: Timestamp(20_000 * DAY + left * SECOND),
            ..fill(1, 0, "a", 1)
        };
        let (_, lines) = figures(Some(By::TimeLeft), [one]).breakdown.unwrap();
        assert_eq!(lines[0].name, name, "{left} s");
    }
    let late = Fill {
        closes: Timestamp(1),
        ..fill(1, 0, "a", 1)
    };
    let (_, lines) = figures(Some(By::TimeLeft), [late]).breakdown.unwrap();
    assert_eq!(lines[0].name, "after the close");
}

#[test]
fn classes_come_in_their_order_and_not_by_name() {
    let at = |intent, secs| Fill {
        closes: Timestamp(20_000 * DAY + secs * SECOND),
        ..fill(intent, 0, "a", 1)
    };
    let fills = [at(1, 7_200), at(2, 5), at(3, 100), at(4, 20)];
    let (_, lines) = figures(Some(By::TimeLeft), fills).breakdown.unwrap();
    let names: Vec<&str> = lines.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(
        names,
        ["under 10 s", "10 to 30 s", "1 to 2 min", "1 to 6 h"]
    );
}

#[test]
fn every_strategy_is_judged_by_its_own_trades() {
    let mut fills = Vec::new();
    for i in 0..80_u64 {
        let (strategy, pnl) = if i % 2 == 0 {
            ("good", 1_000_000 + (i % 3) as i64)
        } else {
            ("bad", -1_000_000)
        };
        fills.push(Fill {
            strategy: strategy.into(),
            decided: Timestamp((20_000 + i / 8) * DAY),
            ..fill(i, 0, &format!("m{i}"), pnl)
        });
    }
    let figures = figures(None, fills);
    let rulings: Vec<(&str, Ruling)> = figures
        .strategies
        .iter()
        .map(|s| (s.name.as_str(), s.verdict.ruling))
        .collect();
    assert_eq!(rulings, [("bad", Ruling::NoEdge), ("good", Ruling::Edge)]);
    assert_eq!(figures.all.ruling, Ruling::Inconclusive);
}
