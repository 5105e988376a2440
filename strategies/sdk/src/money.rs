//! Money as integers in millionths, as the host counts it: prices and dollars in 1e-6 USD, sizes in
//! 1e-6 shares. Owns the few products and quotients strategies need; each names its rounding and
//! answers `None` instead of a number that does not fit.
//!
//! | you have                    | you want                       | call                              |
//! |-----------------------------|--------------------------------|-----------------------------------|
//! | a price and shares          | what they cost                 | [`times_up`]`(price, qty)`        |
//! | a price and shares          | what they bring                | [`times_down`]`(price, qty)`      |
//! | dollars and a share of them | that part                      | [`times_down`]`(usd, share)`      |
//! | dollars and a price         | how many shares they buy       | [`over_down`]`(usd, price)`       |
//! | a cost and shares           | what a share cost              | [`over_up`]`(cost, qty)`          |
//! | a price                     | one an order may carry         | [`tick_down`], [`tick_up`]        |
//! | a wish in shares            | a size an order may have       | [`to_lot`]                        |
//! | a rate and a price          | the fee a share bears          | [`fee_of_share`]                  |
//!
//! The host computes the same on types that carry their unit, and so may you: `units` has them, and these
//! are for what has no unit there, or more than one. A test of the host holds all of it against its own
//! over many values.

/// Millionths in one dollar or one share.
pub const ONE: i64 = 1_000_000;

/// `a × b ÷ ONE`, rounded up: what something costs. `None` when it does not fit.
#[must_use]
pub fn times_up(a: i64, b: i64) -> Option<i64> {
    let product = i128::from(a) * i128::from(b);
    let one = i128::from(ONE);
    i64::try_from(product.div_euclid(one) + i128::from(product.rem_euclid(one) != 0)).ok()
}

/// `a × b ÷ ONE`, rounded down: what something brings, or a share of something.
#[must_use]
pub fn times_down(a: i64, b: i64) -> Option<i64> {
    i64::try_from((i128::from(a) * i128::from(b)).div_euclid(i128::from(ONE))).ok()
}

/// `a ÷ b` in millionths, rounded down. `None` when `b` is not positive.
#[must_use]
pub fn over_down(a: i64, b: i64) -> Option<i64> {
    if b <= 0 {
        return None;
    }
    i64::try_from((i128::from(a) * i128::from(ONE)).div_euclid(i128::from(b))).ok()
}

/// `a ÷ b` in millionths, rounded up: what one of `b` cost. `None` when `b` is not positive.
#[must_use]
pub fn over_up(a: i64, b: i64) -> Option<i64> {
    if b <= 0 {
        return None;
    }
    let scaled = i128::from(a) * i128::from(ONE);
    let up = i128::from(scaled.rem_euclid(i128::from(b)) != 0);
    i64::try_from(scaled.div_euclid(i128::from(b)) + up).ok()
}

/// The middle of two prices; half of a millionth is cut off.
#[must_use]
pub fn middle(bid: i64, ask: i64) -> Option<i64> {
    Some(bid.checked_add(ask)?.div_euclid(2))
}

/// The highest price on the grid of `tick` that is no more than `price`. A tick of zero has no grid.
#[must_use]
pub fn tick_down(price: i64, tick: i64) -> i64 {
    to_lot(price, tick)
}

/// The lowest price on the grid of `tick` that is no less than `price`. `None` when it does not fit.
#[must_use]
pub fn tick_up(price: i64, tick: i64) -> Option<i64> {
    let down = tick_down(price, tick);
    if down == price {
        Some(price)
    } else {
        down.checked_add(tick)
    }
}

/// The fee that one share bears at a price: `rate × p × (1 − p)`, rounded up. What a fill pays is the
/// host's to count, and is cut or rounded up once a fill; a share of it is this, or a millionth less.
#[must_use]
pub fn fee_of_share(rate: u32, price: i64) -> Option<i64> {
    let one = i128::from(ONE);
    let p = i128::from(price);
    let exact = i128::from(rate)
        .checked_mul(p)?
        .checked_mul(one.checked_sub(p)?)?;
    let whole = one.checked_mul(one)?;
    i64::try_from(exact.div_euclid(whole) + i128::from(exact.rem_euclid(whole) != 0)).ok()
}

/// The largest multiple of `lot` that is no more than `qty`. A lot of zero has no grid.
#[must_use]
pub fn to_lot(qty: i64, lot: i64) -> i64 {
    if lot <= 0 {
        qty
    } else {
        qty - qty.rem_euclid(lot)
    }
}

/// Reads a plain decimal (`0.02`, `-1.5`, `250`) with at most six decimals, exactly.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty())
        || decimals.len() > 6
        || !all_digits(whole)
        || !all_digits(decimals)
    {
        return None;
    }
    let units: i64 = format!("{whole}{decimals:0<6}").parse().ok()?;
    Some(if negative { -units } else { units })
}

/// Writes millionths as a plain decimal: `0.02`, `-1.5`, `250`.
#[must_use]
pub fn show(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    let one = ONE.unsigned_abs();
    let text = format!("{sign}{}.{:06}", units / one, units % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_round_as_named() {
        assert_eq!(times_up(333_333, 1_000_001), Some(333_334));
        assert_eq!(times_down(333_333, 1_000_001), Some(333_333));
        assert_eq!(times_up(-1, 1), Some(0));
        assert_eq!(times_down(-1, 1), Some(-1));
        assert_eq!(times_up(i64::MAX, i64::MAX), None);
        assert_eq!(over_down(1, 3), Some(333_333));
        assert_eq!(over_down(1, 0), None);
        assert_eq!(to_lot(5_490_000, 1_000_000), 5_000_000);
        assert_eq!(to_lot(7, 0), 7);
        assert_eq!(
            (over_up(1, 3), over_up(-1, 3)),
            (Some(333_334), Some(-333_333))
        );
        assert_eq!((over_up(6, 3), over_up(1, 0)), (Some(2 * ONE), None));
        assert_eq!(tick_down(489_999, 10_000), 480_000);
        assert_eq!(tick_up(480_001, 10_000), Some(490_000));
        assert_eq!(
            (tick_up(480_000, 10_000), tick_up(7, 0)),
            (Some(480_000), Some(7))
        );
        assert_eq!(tick_up(i64::MAX, 10), None);
        assert_eq!(middle(480_000, 490_001), Some(485_000));
        assert_eq!(fee_of_share(70_000, 500_000), Some(17_500));
        assert_eq!(fee_of_share(70_000, 333_333), Some(15_556), "0.0155555…");
        assert_eq!(
            (fee_of_share(0, 500_000), fee_of_share(70_000, ONE)),
            (Some(0), Some(0))
        );
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(parse("0.02"), Some(20_000));
        assert_eq!(parse("-1.5"), Some(-1_500_000));
        assert_eq!(parse(".25"), Some(250_000));
        assert_eq!(parse("250"), Some(250_000_000));
        for units in [0, 1, -1, 20_000, -1_500_000, 250 * ONE, i64::MAX] {
            assert_eq!(parse(&show(units)), Some(units));
        }
        assert_eq!(
            (show(-500_000), show(20_000)),
            ("-0.5".to_owned(), "0.02".to_owned())
        );
        for text in [
            "",
            "-",
            ".",
            "1e3",
            "0,5",
            "0.0000001",
            "1.2.3",
            " 1",
            "+1",
            "99999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
