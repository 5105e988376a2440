//! A fill computed again from what is stored with it: the levels must add up to it, and the fee must be
//! what the named rule asks, to the millionth of a dollar.
//!
//! Owns the comparison and the reading of a rule's name; the amounts are computed by the code that
//! traded. It decides nothing and changes nothing.

use super::page;
use crate::store::view::TradeView;
use pm_arb_core::ids::{Timestamp, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::{Family, Rulebook, Subject, scaled};
use pm_arb_core::units::{DECIMALS, Price, Qty, Rounding, Usd, div_round, parse_fixed};

/// Price, shares, fee.
type Level = (Price, Qty, Usd);

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Both are the same.
    Verifies,
    /// They differ; by how much, with the sign of stored minus computed.
    Differs(String),
    /// It can not be computed again.
    Unknown(&'static str),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Of what.
    pub what: &'static str,
    /// How it is computed.
    pub how: String,
    /// As the row has it.
    pub stored: String,
    /// As it is computed.
    pub computed: String,
    /// What that means.
    pub finding: Finding,
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recheck {
    /// One by one; empty for a row that was never filled.
    pub checks: Vec<Check>,
    /// The rule as it is computed, when it was found.
    pub schedule: Option<FeeSchedule>,
}

impl Recheck {
    /// `Some(true)`: verifies. `Some(false)`: does not. `None`: a part can not be computed again.
    #[must_use]
    pub fn verdict(&self) -> Option<bool> {
        let differs = |c: &Check| matches!(c.finding, Finding::Differs(_));
        if self.checks.iter().any(differs) {
            return Some(false);
        }
        let verifies = self.checks.iter().all(|c| c.finding == Finding::Verifies);
        (verifies && !self.checks.is_empty()).then_some(true)
    }
}

/// Computes a fill again.
#[must_use]
pub fn of(t: &TradeView, rules: &Rulebook) -> Recheck {
    if t.quantity.0 == 0 {
        return Recheck::default();
    }
    let levels = page::levels(t);
    let schedule = schedule(t, rules);
    let rounding = match t.side.as_str() {
        "buy" => Rounding::Up,
        _ => Rounding::Down,
    };
    let sum = |of: &dyn Fn(&Level) -> Option<i64>| {
        let start = (!levels.is_empty()).then_some(0_i64);
        let mut each = levels.iter();
        start.and_then(|zero| each.try_fold(zero, |sum, level| sum.checked_add(of(level)?)))
    };
    let qty = sum(&|l| Some(l.1.0));
    let cost = sum(&|l| l.0.times(l.1, rounding).map(|usd| usd.0));
    let weighted = levels
        .iter()
        .try_fold(0_i128, |sum, l| {
            sum.checked_add(i128::from(l.0.0).checked_mul(i128::from(l.1.0))?)
        })
        .zip(qty)
        .and_then(|(sum, qty)| div_round(sum, i128::from(qty), rounding))
        .and_then(|price| i64::try_from(price).ok());
    let fees = sum(&|l| Some(l.2.0));
    let mut checks = vec![
        Check {
            // No dollars: shares are written without cents.
            stored: t.quantity.to_string(),
            computed: qty.map_or_else(String::new, |qty| Qty(qty).to_string()),
            ..check("Shares", "the levels together", t.quantity.0, qty)
        },
        check(
            if t.side == "buy" { "Paid" } else { "Received" },
            "price × shares of each level, rounded against the trade",
            t.cost.0,
            cost,
        ),
        check("Price", "weighted by shares", t.price.0, weighted),
    ];
    if t.status == "open" && t.remaining_quantity == t.quantity || t.status == "resolved" {
        checks.push(check("Fee", "the levels' fees together", t.fees.0, fees));
    }
    checks.push(of_rule(t, &levels, schedule, fees));
    Recheck { checks, schedule }
}

/// The fees of the levels against the rule.
fn of_rule(
    t: &TradeView,
    levels: &[Level],
    schedule: Option<FeeSchedule>,
    stored: Option<i64>,
) -> Check {
    let mut check = Check {
        what: "Fee rule",
        how: schedule.map_or_else(|| "not known".to_owned(), formula),
        stored: stored.map_or_else(String::new, |fees| Usd(fees).to_string()),
        computed: String::new(),
        finding: Finding::Unknown("the rulebook of this program has no such rule"),
    };
    let (Some(schedule), Some(stored)) = (schedule, stored) else {
        if t.fee_rule.is_empty() || levels.is_empty() {
            check.finding = Finding::Unknown("an older version stored this row without it");
        }
        return check;
    };
    let again: Option<Vec<i64>> = levels
        .iter()
        .map(|(price, qty, _)| schedule.fee(*price, *qty).map(|fee| fee.0))
        .collect();
    let Some(again) = again else {
        check.finding = Finding::Unknown("the rule has no answer for such a fill");
        return check;
    };
    let sum = again
        .iter()
        .fold(0_i64, |sum, fee| sum.saturating_add(*fee));
    check.computed = Usd(sum).to_string();
    let each_is = levels
        .iter()
        .zip(&again)
        .all(|(level, fee)| level.2.0 == *fee);
    check.finding = match each_is {
        true => Finding::Verifies,
        false => Finding::Differs(Usd(stored.saturating_sub(sum)).to_string()),
    };
    check
}

fn check(what: &'static str, how: &str, stored: i64, computed: Option<i64>) -> Check {
    Check {
        what,
        how: how.to_owned(),
        stored: Usd(stored).to_string(),
        computed: computed.map_or_else(String::new, |c| Usd(c).to_string()),
        finding: match computed {
            None => Finding::Unknown("no levels are stored with this row"),
            Some(same) if same == stored => Finding::Verifies,
            Some(other) => Finding::Differs(Usd(stored.saturating_sub(other)).to_string()),
        },
    }
}

/// The formula of a schedule, as a line.
#[must_use]
pub fn formula(schedule: FeeSchedule) -> String {
    let rate = |ppm: u32| {
        let text = Usd(i64::from(ppm)).to_string();
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match schedule {
        FeeSchedule::Free => "no fee".to_owned(),
        FeeSchedule::Unknown => "unknown".to_owned(),
        FeeSchedule::Quadratic {
            rate_ppm,
            step,
            round_up,
        } => format!(
            "shares × {} × p × (1 − p), {} to {}",
            rate(rate_ppm),
            if round_up { "rounded up" } else { "cut" },
            rate(step),
        ),
        FeeSchedule::QuadraticSquared { rate_ppm } => format!(
            "shares × p × {} × (p × (1 − p))², cut to 0.0001",
            rate(rate_ppm)
        ),
    }
}

/// The schedule that a row's rule names: a row of the rulebook by its words, with a number of the
/// market's own where it has one.
fn schedule(t: &TradeView, rules: &Rulebook) -> Option<FeeSchedule> {
    let at = t.decided;
    let named = match t.fee_rule.as_str() {
        "the market's feesEnabled = false" | "the market's feeSchedule: rate 0" => {
            return Some(FeeSchedule::Free);
        }
        rule => rule,
    };
    if let Some(own) = named.strip_prefix("the market's feeSchedule: rate ") {
        let (rate, kind) = own.split_once(", ")?;
        let told = |family| {
            let table = if t.maker {
                &rules.maker_fees
            } else {
                &rules.taker_fees
            };
            let subject = match t.maker {
                true => Subject::of(Venue::Polymarket, family),
                false => Subject::kind(Venue::Polymarket, family, kind),
            };
            table.on(&subject, at).says
        };
        let fee = Family::ALL.into_iter().find_map(told)?;
        return match t.maker {
            true => Some(fee),
            false => scaled(fee, parse_fixed(rate, DECIMALS).ok()?),
        };
    }
    if let Some(own) = named.strip_prefix("the series' fee_multiplier ") {
        let (times, row) = own.split_once(", ")?;
        return scaled(
            row_named(row, t.maker, at, rules)?,
            parse_fixed(times, DECIMALS).ok()?,
        );
    }
    row_named(named, t.maker, at, rules)
}

/// The taker's row whose words these are, or the maker's row of the same subject at the time.
fn row_named(words: &str, maker: bool, at: Timestamp, rules: &Rulebook) -> Option<FeeSchedule> {
    let (_, from) = words.rsplit_once(" from ")?;
    let midnight = format!("{from}T00:00:00Z");
    let from: jiff::Timestamp = from.parse().or_else(|_| midnight.parse()).ok()?;
    let from = Timestamp(u64::try_from(from.as_nanosecond()).ok()?);
    let taker = &rules.taker_fees;
    let subject = taker
        .subjects()
        .find(|subject| taker.on(subject, from).rule == words)?;
    match maker {
        false => taker.on(subject, from).says,
        true => rules.maker_fees.on(subject, at).says,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::rulebook::built_in;

    /// Two levels as the venue charges them.
    fn fill(rules: &Rulebook) -> TradeView {
        let at = Timestamp::from_secs(1_790_000_000);
        let told = rules.taker_fee_on(Venue::Polymarket, Family::Crypto, at);
        let fee = told.says.unwrap();
        let levels = [
            (Price(470_000), Qty(2_000_000)),
            (Price(486_667), Qty(3_000_001)),
        ];
        let fees: Vec<i64> = levels
            .iter()
            .map(|l| fee.fee(l.0, l.1).unwrap().0)
            .collect();
        let cost = |l: &(Price, Qty)| l.0.times(l.1, Rounding::Up).unwrap().0;
        let stored: Vec<[i64; 3]> = (0..2)
            .map(|n| [levels[n].0.0, levels[n].1.0, fees[n]])
            .collect();
        let weighted = 470_000 * 2_000_000_i128 + 486_667 * 3_000_001;
        TradeView {
            side: "buy".into(),
            status: "resolved".into(),
            decided: at,
            quantity: Qty(5_000_001),
            price: Price(div_round(weighted, 5_000_001, Rounding::Up).unwrap() as i64),
            cost: Usd(levels.iter().map(cost).sum()),
            fees: Usd(fees.iter().sum()),
            fee_rule: told.rule,
            levels: serde_json::to_string(&stored).unwrap(),
            ..TradeView::default()
        }
    }

    #[test]
    fn a_fill_as_it_was_made_verifies_and_one_that_was_changed_by_a_millionth_does_not() {
        let rules = built_in().unwrap();
        let good = fill(&rules);
        assert!(
            good.fee_rule
                .starts_with("rulebook: polymarket crypto taker fee from"),
            "{}",
            good.fee_rule
        );
        let checks = of(&good, &rules);
        assert_eq!(checks.verdict(), Some(true), "{checks:#?}");
        let levels: Vec<[i64; 3]> = serde_json::from_str(&good.levels).unwrap();
        for level in 0..2 {
            for field in 0..3 {
                for change in [-1, 1] {
                    let mut changed = levels.clone();
                    changed[level][field] += change;
                    let bad = TradeView {
                        levels: serde_json::to_string(&changed).unwrap(),
                        ..good.clone()
                    };
                    let found = of(&bad, &rules);
                    // A price that is off by a millionth of a dollar may round to the same amount only
                    // where the shares are too few to show it; here they show it.
                    assert_eq!(
                        found.verdict(),
                        Some(false),
                        "{level} {field} {change} {found:#?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_way_to_name_a_rule_finds_it() {
        let rules = built_in().unwrap();
        let base = fill(&rules);
        let of_rule = |rule: &str| {
            let row = TradeView {
                fee_rule: rule.to_owned(),
                ..base.clone()
            };
            schedule(&row, &rules)
        };
        assert_eq!(
            of_rule("the market's feesEnabled = false"),
            Some(FeeSchedule::Free)
        );
        assert_eq!(
            of_rule("the market's feeSchedule: rate 0.070000, exponent 1"),
            Some(FeeSchedule::polymarket(70_000))
        );
        assert_eq!(
            of_rule("the market's feeSchedule: rate 0.07, exponent 9"),
            None
        );
        assert_eq!(
            of_rule("rulebook: polymarket crypto taker fee from 1999-01-01"),
            None
        );
        assert_eq!(of_rule("some words"), None);
        let kalshi = Subject::kind(Venue::Kalshi, Family::Crypto, "quadratic");
        let told = rules.taker_fees.on(&kalshi, base.decided);
        let twice = format!("the series' fee_multiplier 2.000000, {}", told.rule);
        assert_eq!(of_rule(&twice), scaled(told.says.unwrap(), 2_000_000));
        for schedule in [of_rule(&twice).unwrap(), FeeSchedule::polymarket(70_000)] {
            assert!(
                formula(schedule).starts_with("shares × 0."),
                "{}",
                formula(schedule)
            );
        }
    }

    #[test]
    fn what_can_not_be_computed_again_is_unknown_and_no_success() {
        let rules = built_in().unwrap();
        let old = TradeView {
            levels: "[]".into(),
            ..fill(&rules)
        };
        assert_eq!(of(&old, &rules).verdict(), None);
        let refused = TradeView::default();
        assert_eq!(of(&refused, &rules).verdict(), None);
    }
}
