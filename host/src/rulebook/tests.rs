//! The built-in rules, files on top of them, and files that are none.

use super::*;
use pm_arb_core::ids::{Nanos, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::{Family, Question, SettlesBy, Subject};
use pm_arb_core::units::{Price, Qty, Usd};

fn day(text: &str) -> Timestamp {
    parse_time(text).unwrap()
}

fn with(text: &str) -> Result<Rulebook, RulesError> {
    let mut book = built_in()?;
    rows::add(&mut book, text, Some("mine.toml"))?;
    Ok(book)
}

#[test]
fn the_built_in_rules_are_those_of_each_day() {
    let book = built_in().unwrap();
    let fee = |date: &str| {
        book.taker_fee_on(Venue::Polymarket, Family::Crypto, day(date))
            .says
    };
    let spring = FeeSchedule::QuadraticSquared { rate_ppm: 250_000 };
    for (date, says) in [
        ("2023-03-01", Some(FeeSchedule::Free)),
        ("2025-12-31", Some(FeeSchedule::Free)),
        ("2026-02-01", Some(spring)),
        ("2026-03-29", Some(spring)),
        ("2026-03-31", None),
        ("2026-04-01", Some(FeeSchedule::polymarket(72_000))),
        (
            "2026-04-26T23:59:59Z",
            Some(FeeSchedule::polymarket(72_000)),
        ),
        ("2026-04-27", None),
        ("2026-05-11", Some(FeeSchedule::polymarket(70_000))),
        ("2026-07-24", Some(FeeSchedule::polymarket(70_000))),
    ] {
        assert_eq!(fee(date), says, "{date}");
    }
    let delay = |family, date: &str| {
        book.taker_delay_on(Venue::Polymarket, family, day(date))
            .says
    };
    for (date, ms) in [
        ("2025-11-13", 0),
        ("2025-11-14", 500),
        ("2026-02-17", 500),
        ("2026-02-18", 0),
        ("2026-06-04", 0),
        ("2026-06-05", 250),
    ] {
        let got = delay(Family::Crypto, date);
        assert_eq!(got, Some(Nanos::from_ms(ms)), "{date}");
    }
    assert_eq!(delay(Family::Other, "2026-01-01"), Some(Nanos(0)));
    assert_eq!(
        delay(Family::Other, "2026-07-01"),
        Some(Nanos::from_ms(250))
    );
    let settles = |question, date: &str| {
        let told = book.settles_on(Venue::Polymarket, question, day(date));
        told.says.map(|settles| settles.by)
    };
    let mean = Some(SettlesBy::Mean { lookback_secs: 60 });
    for (question, date, by) in [
        (Question::UpDown5m, "2026-08-06", Some(SettlesBy::Value)),
        (Question::UpDown5m, "2026-08-07", None),
        (Question::UpDown5m, "2026-08-22", mean),
        (Question::UpDown15m, "2026-08-07", mean),
        (Question::UpDown4h, "2026-09-01", None),
    ] {
        assert_eq!(settles(question, date), by, "{question:?} {date}");
    }
    let kalshi = |kind: &str, date: &str| {
        let subject = Subject::kind(Venue::Kalshi, Family::Crypto, kind);
        let taker = book.taker_fees.on(&subject, day(date)).says;
        (taker, book.maker_fees.on(&subject, day(date)).says)
    };
    let taker = Some(FeeSchedule::kalshi(70_000));
    assert_eq!(kalshi("quadratic", "2025-12-31"), (None, None));
    assert_eq!(
        kalshi("quadratic", "2026-07-01"),
        (taker, Some(FeeSchedule::Free))
    );
    assert_eq!(
        kalshi("quadratic_with_maker_fees", "2026-07-01"),
        (taker, Some(FeeSchedule::kalshi(17_500)))
    );
    assert_eq!(kalshi("flat", "2026-07-01"), (None, None));
    let tapered = Subject::kind(Venue::Kalshi, Family::Other, "tapered_deci_cent");
    let grid = book.ticks.on(&tapered, day("2026-07-01")).says.unwrap();
    assert_eq!(
        [50_000, 500_000, 950_000].map(|p| grid.tick_at(Price(p))),
        [Price(1_000), Price(10_000), Price(1_000)]
    );
}

#[test]
fn a_users_row_holds_until_the_next_of_either() {
    let row = |from: &str, rate: &str| {
        format!(
            "[[taker_fee]]\nvenue = \"polymarket\"\nfamily = \"crypto\"\nfrom = {from}\n\
             formula = \"quadratic\"\nrate = \"{rate}\"\ndecimals = 5\nrounding = \"down\"\n\
             source = \"a test\"\n"
        )
    };
    let text = format!(
        "schema = 1\n{}{}",
        row("2026-04-27", "0.071"),
        row("2026-08-01T12:00:00Z", "0.1")
    );
    let book = with(&text).unwrap();
    for (date, rate, rule) in [
        (
            "2026-04-26",
            72_000,
            "rulebook: polymarket crypto taker fee from 2026-04-01",
        ),
        (
            "2026-04-27",
            71_000,
            "rulebook mine.toml: polymarket crypto taker fee from 2026-04-27",
        ),
        (
            "2026-05-11",
            70_000,
            "rulebook: polymarket crypto taker fee from 2026-05-11",
        ),
        (
            "2026-08-01T11:59:59Z",
            70_000,
            "rulebook: polymarket crypto taker fee from 2026-05-11",
        ),
        (
            "2026-08-01T12:00:00Z",
            100_000,
            "rulebook mine.toml: polymarket crypto taker fee from 2026-08-01T12:00:00Z",
        ),
    ] {
        let told = book.taker_fee_on(Venue::Polymarket, Family::Crypto, day(date));
        assert_eq!(told.says, Some(FeeSchedule::polymarket(rate)), "{date}");
        assert_eq!(told.rule, rule);
    }
    // Other subjects are as they were.
    let other = book.taker_fee_on(Venue::Polymarket, Family::Other, day("2026-09-01"));
    assert_eq!(other.says, None);
    let min = book.min_qty_on(Venue::Kalshi, Family::Other, day("2026-09-01"));
    assert_eq!(min.says, Some(Qty(1_000_000)));
}

#[test]
fn nonsense_is_refused_with_its_row_and_key() {
    const HEAD: &str = "[[taker_delay]]\nvenue = \"kalshi\"\nfamily = \"any\"\nsource = \"x\"\n";
    let delay = |lines: &str| format!("schema = 1\n{HEAD}{lines}");
    let cases = [
        ("".to_owned(), "schema"),
        ("schema = 2".to_owned(), "schema = 2 is not known"),
        ("schema = 1\n[[fee]]".to_owned(), "unknown field `fee`"),
        ("schema = 1\n[taker_fee]".to_owned(), "taker_fee"),
        ("schema 1".to_owned(), "line 1"),
        (
            delay("delay_ms = 1"),
            "mine.toml:2: [[taker_delay]] row 1: from is missing",
        ),
        (delay("from = \"2026-01-01\"\ndelay_ms = 1"), "is no date"),
        (
            delay("from = 2026-01-01T00:00:00\ndelay_ms = 1"),
            "with its offset",
        ),
        (delay("from = 1969-12-31\ndelay_ms = 1"), "is no date"),
        (delay("from = 2026-01-01"), "missing field `delay_ms`"),
        (delay("from = 2026-01-01\ndelay_ms = -1"), "row 1"),
        (delay("from = 2026-01-01\ndelay_ms = 99999999"), "longer"),
        (
            delay("from = 2026-01-01\ndelay_s = 1"),
            "unknown field `delay_s`",
        ),
        (
            delay("from = 2026-01-01\ndelay_ms = 1\nunknown = true"),
            "exclude each other",
        ),
        (
            format!(
                "{0}\n{HEAD}{1}",
                delay("from = 2026-02-01\ndelay_ms = 1"),
                "from = 2026-02-01\ndelay_ms = 2"
            ),
            "mine.toml:8: [[taker_delay]] row 2: from: rows of kalshi crypto must stand in the order",
        ),
        (
            format!(
                "{0}\n{HEAD}{1}",
                delay("from = 2026-02-01\ndelay_ms = 1"),
                "from = 2026-01-01\ndelay_ms = 2"
            ),
            "order of their dates",
        ),
        (
            delay("from = 2026-01-01\ndelay_ms = 1").replace("kalshi", "betfair"),
            "polymarket, kalshi",
        ),
        (
            delay("from = 2026-01-01\ndelay_ms = 1").replace("any", "sports"),
            "family = \"sports\"",
        ),
        (
            delay("from = 2026-01-01\ndelay_ms = 1").replace("\"x\"", "\" \""),
            "source is empty",
        ),
        (
            delay("from = 2026-01-01\ndelay_ms = 1").replace("source", "sauce"),
            "missing field `source`",
        ),
    ];
    for (text, word) in cases {
        let error = with(&text).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("mine.toml"), "{said}");
        assert!(said.contains(word), "{text}\n{said}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let row = |table: &str, lines: &str| {
        let of = match table {
            "settlement" => "question = \"touch\"",
            _ => "family = \"crypto\"",
        };
        format!(
            "schema = 1\n[[{table}]]\nvenue = \"kalshi\"\n{of}\nfrom = 2026-01-01\nsource = \"x\"\n{lines}\n"
        )
    };
    for (table, lines, word) in [
        ("taker_fee", "formula = \"cubic\"", "free, quadratic"),
        (
            "taker_fee",
            "formula = \"free\"\nrate = \"0\"",
            "rate does not belong",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"",
            "decimals is missing",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"\ndecimals = 7\nrate = \"1\"\nrounding = \"up\"",
            "decimals = 7",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"\ndecimals = 5\nrate = \"7\"\nrounding = \"up\"",
            "more than 1",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"\ndecimals = 5\nrate = \"-0.07\"\nrounding = \"up\"",
            "rate",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"\ndecimals = 5\nrate = 0.07\nrounding = \"up\"",
            "string",
        ),
        (
            "taker_fee",
            "formula = \"quadratic\"\ndecimals = 5\nrate = \"0.07\"\nrounding = \"off\"",
            "up, down",
        ),
        (
            "taker_fee",
            "formula = \"quadratic-squared\"\nrate = \"0.25\"\ndecimals = 4",
            "decimals does not belong",
        ),
        (
            "taker_fee",
            "kind = \"\"\nformula = \"free\"",
            "kind is empty",
        ),
        ("minimum", "shares = \"-5\"", "shares"),
        ("lot", "shares = \"0\"", "too small"),
        ("tick", "tick = \"0.03\"", "does not divide a dollar"),
        ("tick", "tick = \"1\"", "does not divide a dollar"),
        (
            "tick",
            "tick = \"0.01\"\nbands = [{ tick = \"0.001\" }]",
            "neither above nor below",
        ),
        (
            "tick",
            "tick = \"0.01\"\nbands = [{ below = \"0.1\", tck = \"0.001\" }]",
            "tck",
        ),
        (
            "settlement",
            "rule = \"coin\"\noracle = \"x\"",
            "instant, mean",
        ),
        (
            "settlement",
            "rule = \"mean\"\noracle = \"x\"",
            "lookback_secs is missing",
        ),
        (
            "settlement",
            "rule = \"mean\"\noracle = \"x\"\nlookback_secs = 0",
            "lookback_secs = 0",
        ),
        (
            "settlement",
            "rule = \"instant\"\noracle = \"x\"\nstrict = true",
            "strict does not belong",
        ),
        (
            "settlement",
            "rule = \"instant\"\noracle = \"\"",
            "oracle is empty",
        ),
    ] {
        let text = row(table, lines);
        let said = with(&text).unwrap_err().to_string();
        assert!(said.contains(word), "{text}\n{said}");
        let place = format!("mine.toml:2: [[{table}]] row 1");
        assert!(said.starts_with(&place), "{said}");
    }
}

#[test]
fn files_that_can_not_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.toml");
    let said = load(std::slice::from_ref(&missing))
        .unwrap_err()
        .to_string();
    assert!(said.contains("missing.toml"), "{said}");
    let said = load(&vec![missing; FILES_MAX + 1]).unwrap_err().to_string();
    assert!(said.contains("65 files"), "{said}");
}

/// The 21 fills read from the chain: each market's own rate, rounded as the book of that day says.
#[test]
fn every_recorded_fee_reproduces_by_the_rules_of_its_day() {
    use crate::venue::{polymarket::gamma, recordings};
    let name = "every_recorded_fee_reproduces_by_the_rules_of_its_day";
    let file = "polymarket/nautilus_fixtures/chain_order_filled_taker_fees.json";
    let Some(fills) = recordings::json(name, file) else {
        return;
    };
    let fills = fills.as_array().unwrap();
    assert_eq!(fills.len(), 21);
    let book = built_in().unwrap();
    let mut by_book = 0;
    for (n, fill) in fills.iter().enumerate() {
        // The last seven were traded on 2026-09-30, the others from 09-24 to 09-26.
        let at = day(if n < 14 { "2026-09-24" } else { "2026-09-30" });
        let number = |key: &str| fill[key].as_str().unwrap().parse::<i64>().unwrap();
        let shares = match fill["side"].as_str().unwrap() {
            "BUY" => "taker_amount_filled",
            _ => "maker_amount_filled",
        };
        let rate = fill["fee_rate"].as_str().unwrap();
        let price = Price::parse(fill["price"].as_str().unwrap()).unwrap();
        let object = |schedule: serde_json::Value| {
            serde_json::json!({
                "slug": "will-it", "conditionId": "0x1", "outcomes": "[\"Yes\", \"No\"]",
                "clobTokenIds": "[\"1\", \"2\"]", "orderPriceMinTickSize": 0.001, "orderMinSize": 5,
                "endDate": "2026-12-01T00:00:00Z", "feesEnabled": true, "feeType": "crypto_fees_v2",
                "feeSchedule": schedule,
            })
        };
        let rules = Rules {
            book: &book,
            since: at,
        };
        let fee = |schedule| {
            let spec = gamma::market(&object(schedule), rules, |_, _| unreachable!());
            let spec = spec.unwrap();
            spec.fee.fee(price, Qty(number(shares))).unwrap()
        };
        let charged = Usd(number("fee"));
        let own = serde_json::json!({"rate": rate, "exponent": 1, "takerOnly": true});
        assert_eq!(fee(own), charged, "{fill}");
        if rate == "0.07" {
            // A crypto market that states no schedule gets the same from the book.
            assert_eq!(fee(serde_json::Value::Null), charged, "{fill}");
            by_book += 1;
        }
    }
    assert_eq!(by_book, 4);
}
