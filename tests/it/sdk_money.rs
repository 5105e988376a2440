//! The SDK counts money as the host does: the same products, quotients, grids and fees, over many values.

use pm_arb_core::market::FeeSchedule;
use pm_arb_core::units::{ONE, Price, Qty, Rounding, Usd, div_round};

#[path = "../../strategies/sdk/src/money.rs"]
mod money;

#[path = "../../strategies/sdk/src/units.rs"]
mod typed;

/// Numbers of every size and sign, the same in every run: edges first, then a linear congruence.
fn numbers(count: usize) -> Vec<i64> {
    let mut all = vec![0, 1, -1, 999_999, 1_000_000, 1_000_001, i64::MAX, i64::MIN];
    let mut x = 0x2545_F491_4F6C_DD1D_u64;
    while all.len() < count {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = (x >> 58) as u32;
        all.push(((x >> 3) as i64) >> bits.min(62));
    }
    all
}

#[test]
fn the_sdks_products_and_quotients_are_the_hosts() {
    let all = numbers(700);
    let (mut some, mut none) = (0, 0);
    for &a in &all {
        for &b in &all {
            let up = Price(a).times(Qty(b), Rounding::Up).map(|usd| usd.0);
            let down = Price(a).times(Qty(b), Rounding::Down).map(|usd| usd.0);
            assert_eq!(money::times_up(a, b), up, "{a} × {b} up");
            assert_eq!(money::times_down(a, b), down, "{a} × {b} down");
            if b > 0 {
                let up = Usd(a).per(Qty(b), Rounding::Up).map(|p| p.0);
                let down = Usd(a).per(Qty(b), Rounding::Down).map(|p| p.0);
                assert_eq!(money::over_up(a, b), up, "{a} ÷ {b} up");
                assert_eq!(money::over_down(a, b), down, "{a} ÷ {b} down");
            }
            if up.is_some() { some += 1 } else { none += 1 }
        }
    }
    assert!(some > 100_000 && none > 1_000, "{some} fit, {none} did not");
}

#[test]
fn the_sdks_prices_lie_on_the_hosts_grid() {
    for tick in [1_i64, 100, 1_000, 10_000] {
        for price in (0..=1_000_000).step_by(777) {
            let down = money::tick_down(price, tick);
            let up = money::tick_up(price, tick).unwrap();
            assert!(Price(down).is_on_tick(Price(tick)) && Price(up).is_on_tick(Price(tick)));
            assert!(down <= price && price <= up && up - down < 2 * tick);
            assert_eq!(down == up, Price(price).is_on_tick(Price(tick)));
            let cut = div_round(price.into(), tick.into(), Rounding::Down).unwrap();
            assert_eq!(i128::from(down), cut * i128::from(tick));
        }
    }
}

/// What an edge is judged by: never less than the host's, never more than a millionth beyond it.
#[test]
fn the_sdks_fee_of_a_share_is_the_hosts_or_a_millionth_more() {
    let mut same = 0;
    for rate in [0_u32, 1, 333, 17_500, 35_000, 70_000, 250_000, 999_999] {
        for price in (1..1_000_000).step_by(123) {
            let ours = money::fee_of_share(rate, price).unwrap();
            for schedule in [FeeSchedule::polymarket(rate), FeeSchedule::kalshi(rate)] {
                let theirs = schedule.per_share(Price(price)).unwrap().0;
                assert!(
                    (0..=1).contains(&(ours - theirs)),
                    "{rate} {price}: {ours} {theirs}"
                );
                same += i32::from(ours == theirs);
            }
        }
    }
    assert!(same > 100_000, "{same} were the same");
}

#[test]
fn the_sdk_reads_decimals_as_the_host_does() {
    for text in [
        "0.48", ".48", "20415.67", "-1.5", "7", "", "-", "1e3", "0,5", " 1",
    ] {
        let host = Price::parse(text).ok().map(|price| price.0);
        assert_eq!(money::parse(text), host, "{text:?}");
    }
    for units in numbers(500) {
        if units != i64::MIN {
            assert_eq!(money::parse(&money::show(units)), Some(units));
            assert_eq!(Price::parse(&money::show(units)), Ok(Price(units)));
        }
    }
}

/// The types of the SDK against those of the host: every rounding, every sum, every text.
#[test]
fn the_sdks_units_are_the_hosts() {
    let all = numbers(400);
    let roundings = [
        (typed::Rounding::Down, Rounding::Down),
        (typed::Rounding::Up, Rounding::Up),
        (typed::Rounding::TowardZero, Rounding::TowardZero),
    ];
    let (mut some, mut none) = (0, 0);
    for &a in &all {
        for &b in &all {
            for (ours, theirs) in roundings {
                let product = Price(a).times(Qty(b), theirs).map(|usd| usd.0);
                let own = typed::Price(a).times(typed::Qty(b), ours);
                assert_eq!(own.map(i64::from), product, "{a} × {b} {ours:?}");
                let own = typed::Usd(a).part(b, ours);
                assert_eq!(own.map(i64::from), product, "{b} of {a} {ours:?}");
                let quotient = Usd(a).per(Qty(b), theirs).map(|price| price.0);
                let own = typed::Usd(a).per(typed::Qty(b), ours);
                assert_eq!(own.map(i64::from), quotient, "{a} ÷ {b} {ours:?}");
                if product.is_some() {
                    some += 1;
                } else {
                    none += 1;
                }
            }
            let bought = typed::Usd(a).buys(typed::Price(b)).map(i64::from);
            assert_eq!(bought, money::over_down(a, b), "{a} at {b}");
            let sum = Usd(a).checked_add(Usd(b)).map(|usd| usd.0);
            let own = typed::Usd(a).checked_add(typed::Usd(b));
            assert_eq!(own.map(i64::from), sum, "{a} + {b}");
            let difference = Usd(a).checked_sub(Usd(b)).map(|usd| usd.0);
            let own = typed::Usd(a).checked_sub(typed::Usd(b));
            assert_eq!(own.map(i64::from), difference, "{a} − {b}");
            let cut = typed::Usd(a).saturating_add(typed::Usd(b));
            assert_eq!(cut.0, a.saturating_add(b));
            let cut = typed::Usd(a).saturating_sub(typed::Usd(b));
            assert_eq!(cut.0, a.saturating_sub(b));
            let on_tick = Price(a).is_on_tick(Price(b));
            assert_eq!(typed::Price(a).is_on_tick(typed::Price(b)), on_tick);
        }
        let (own, theirs) = (typed::Price(a), Price(a));
        assert_eq!(own.is_tradable(), theirs.is_tradable());
        assert_eq!(own.complement().0, theirs.complement().0);
        assert_eq!(own.to_string(), theirs.to_string());
        assert_eq!(typed::Qty(a).to_string(), Qty(a).to_string());
        assert_eq!(typed::Usd(a).to_string(), Usd(a).to_string());
        assert_eq!(typed::Usd::parse(&own.to_string()), Ok(typed::Usd(a)));
    }
    assert!(some > 100_000 && none > 1_000, "{some} fit, {none} did not");
    assert_eq!(typed::Price::DOLLAR.0, Price::DOLLAR.0);
    assert_eq!((typed::Price::ZERO.0, typed::Usd::whole(3).0), (0, 3 * ONE));
    assert_eq!(typed::Qty::ZERO, typed::Qty::whole(0));
}

#[test]
fn the_sdks_units_are_read_from_the_same_texts() {
    let texts = [
        "0.48",
        ".48",
        "20415.67",
        "-1.5",
        "+7",
        "7",
        "7.",
        "0.5000000",
        "0.0000001",
        "",
        "-",
        ".",
        "1e3",
        "0,5",
        " 1",
        "1.2.3",
        "NaN",
        "9223372036855",
        "-9223372036854.775808",
        "99999999999999999999999999999999999999999999",
    ];
    for text in texts {
        let host = Price::parse(text).map_err(|why| format!("{why:?}"));
        let own = text.parse::<typed::Price>();
        let own = own.map(|price| Price(price.0));
        assert_eq!(own.map_err(|why| format!("{why:?}")), host, "{text:?}");
    }
}
