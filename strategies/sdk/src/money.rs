//! Money as integers in millionths, as the host counts it: prices and dollars in 1e-6 USD, sizes in
//! 1e-6 shares. Owns the few products and quotients strategies need; each names its rounding.

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
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(parse("0.02"), Some(20_000));
        assert_eq!(parse("-1.5"), Some(-1_500_000));
        assert_eq!(parse(".25"), Some(250_000));
        assert_eq!(parse("250"), Some(250_000_000));
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
