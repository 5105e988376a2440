//! Rows by date, and dates in words.

use super::*;

fn row<T>(says: Option<T>, file: Option<&str>) -> Row<T> {
    Row {
        says,
        source: "a test".to_owned(),
        file: file.map(str::to_owned),
    }
}

const DAY: u64 = 86_400;

#[test]
fn days_read_as_people_write_them() {
    for (secs, text) in [
        (0, "1970-01-01"),
        (951_782_400, "2000-02-29"),
        (1_735_603_200, "2024-12-31"),
        (1_784_851_200, "2026-07-24"),
        (1_784_851_200 + 45_296, "2026-07-24T12:34:56Z"),
    ] {
        assert_eq!(Day(Timestamp::from_secs(secs)).to_string(), text);
    }
}

#[test]
fn a_row_is_in_force_until_the_next_of_its_subject() {
    let mut book = Rulebook::default();
    let crypto = Subject::of(Venue::Polymarket, Family::Crypto);
    let at = |day: u64| Timestamp::from_secs(day * DAY);
    let fee = FeeSchedule::polymarket;
    book.taker_fees
        .put(crypto.clone(), at(10), row(Some(fee(1)), None));
    book.taker_fees.put(crypto.clone(), at(20), row(None, None));
    book.taker_fees
        .put(crypto.clone(), at(30), row(Some(fee(3)), None));
    // A user's row replaces one of the same date, and ends where the next begins.
    book.taker_fees
        .put(crypto.clone(), at(20), row(Some(fee(2)), Some("mine.toml")));
    book.taker_fees
        .put(crypto, at(25), row(None, Some("mine.toml")));
    for (day, says, rule) in [
        (
            9,
            None,
            "rulebook: no polymarket crypto taker fee for 1970-01-10",
        ),
        (
            10,
            Some(1),
            "rulebook: polymarket crypto taker fee from 1970-01-11",
        ),
        (
            19,
            Some(1),
            "rulebook: polymarket crypto taker fee from 1970-01-11",
        ),
        (
            20,
            Some(2),
            "rulebook mine.toml: polymarket crypto taker fee from 1970-01-21",
        ),
        (
            25,
            None,
            "rulebook mine.toml: polymarket crypto taker fee unknown from 1970-01-26",
        ),
        (
            99,
            Some(3),
            "rulebook: polymarket crypto taker fee from 1970-01-31",
        ),
    ] {
        let told = book.taker_fee_on(Venue::Polymarket, Family::Crypto, at(day));
        assert_eq!(told.says, says.map(fee), "day {day}");
        assert_eq!(told.rule, rule);
    }
    // The last moment of a day is still that day's.
    let eve = Timestamp(at(20).0 - 1);
    let told = book.taker_fee_on(Venue::Polymarket, Family::Crypto, eve);
    assert_eq!(told.says, Some(fee(1)));
    let other = book.taker_fee_on(Venue::Polymarket, Family::Other, at(99));
    assert_eq!(other.says, None);
    assert_eq!(
        book.maker_fee_on(Venue::Kalshi, Family::Crypto, at(99))
            .says,
        None
    );
}

#[test]
fn bands_of_a_grid_end_before_their_bounds() {
    let grid = Grid {
        tick: Price(10_000),
        bands: vec![
            Band {
                above: None,
                below: Some(Price(100_000)),
                tick: Price(1_000),
            },
            Band {
                above: Some(Price(900_000)),
                below: None,
                tick: Price(1_000),
            },
        ],
    };
    assert_eq!(grid.finest(), Price(1_000));
    for (price, tick) in [
        (99_000, 1_000),
        (100_000, 10_000),
        (900_000, 10_000),
        (901_000, 1_000),
    ] {
        assert_eq!(grid.tick_at(Price(price)), Price(tick), "{price}");
    }
    assert_eq!(grid.to_string(), "0.01, 0.001 below 0.10, 0.001 above 0.90");
}

#[test]
fn a_markets_own_number_multiplies_the_rate() {
    let one = FeeSchedule::polymarket(1_000_000);
    assert_eq!(scaled(one, 50_000), Some(FeeSchedule::polymarket(50_000)));
    assert_eq!(scaled(one, 0), Some(FeeSchedule::Free));
    assert_eq!(scaled(one, -1), None);
    assert_eq!(scaled(one, i128::MAX), None);
    assert_eq!(
        scaled(FeeSchedule::kalshi(70_000), 500_000),
        Some(FeeSchedule::kalshi(35_000))
    );
    // Half a millionth is charged.
    assert_eq!(
        scaled(FeeSchedule::kalshi(1), 500_000),
        Some(FeeSchedule::kalshi(1))
    );
    assert_eq!(scaled(FeeSchedule::Unknown, 1), None);
}
