//! One golden example a settlement family, worked out by hand, and the row that tells where a market
//! stands and why.

use super::world::{START, World, buy};
use crate::effect::{Effect, MarketRecord};
use crate::event::Event;
use crate::ids::{InstrumentId, MarketId, OracleId, Timestamp};
use crate::market::{MarketSpec, MarketStatus, SettlementRule};
use crate::units::{Price, SpotPrice, Usd};

const LOCKED: Usd = Usd(5_200_000);

fn dollars(n: i128) -> SpotPrice {
    SpotPrice(n * 1_000_000_000_000_000_000)
}

/// Ten shares of the first outcome at 0.52 in a market of five minutes under that rule.
fn holding(change: impl Fn(&mut MarketSpec)) -> World {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, change);
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w
}

fn ruled(settlement: SettlementRule) -> World {
    holding(|m| m.settlement = settlement.clone())
}

fn status(w: &World) -> MarketStatus {
    w.engine.market_data().market(MarketId(0)).unwrap().status
}

/// The rows of the market so far.
fn rows(w: &World) -> Vec<MarketRecord> {
    let rows = w.effects.iter().filter_map(|effect| match effect {
        Effect::RecordMarket(row) => Some((**row).clone()),
        _ => None,
    });
    rows.collect()
}

/// Where it stands, and why. Whole dollars are written without their cents here.
#[track_caller]
fn stands(w: &World, expected: MarketStatus, why: &str) {
    let row = rows(w).pop().unwrap();
    let said = row.evidence.replace(".00", "");
    assert_eq!((row.status, said.as_str()), (expected, why));
    assert_eq!(status(w), expected);
}

const UP: &str = "now resolved left 0 exit 1.00 pnl 4.80";
const DOWN: &str = "now resolved left 0 exit 0.00 pnl -5.20";

#[test]
fn an_instant_and_every_row_of_its_market() {
    let mut w = holding(|_| {});
    w.at(300_000).tick();
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd has no value of the opening second 1785844800 and of the closing second 1785845100",
    );
    // The opening second comes late.
    w.at(300_200).oracle(65_000, 0);
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd has no value of the closing second 1785845100",
    );
    assert_eq!(w.engine.status().locked, LOCKED);
    w.at(300_400).oracle(64_999, 300);
    w.check(&[DOWN]);
    stands(
        &w,
        MarketStatus::Settled,
        "chainlink btcusd at second 1785845100 was 64999 against 65000: Down wins",
    );
    w.resolve(0, &[100, 0]);
    stands(
        &w,
        MarketStatus::Contradicted,
        "booked because chainlink btcusd at second 1785845100 was 64999 against 65000: Down wins; since \
         then polymarket pays Up 1, Down 0 (gamma)",
    );
    let rows = rows(&w);
    let told: Vec<_> = rows.iter().map(|row| row.status).collect();
    use MarketStatus::{Contradicted, Open, Pending, Settled};
    assert_eq!(told, [Open, Pending, Pending, Settled, Contradicted]);
    // What it paid is told from the booking on, and stays.
    let paid = |row: &MarketRecord| row.outcomes.iter().map(|o| o.2).collect::<Vec<_>>();
    assert_eq!(paid(&rows[2]), [None, None]);
    for row in &rows[3..] {
        assert_eq!(paid(row), [Some(Price::ZERO), Some(Price::DOLLAR)]);
        assert_eq!(row.outcomes[0].0, InstrumentId(0));
    }
    assert_eq!(rows[1].at, rows[2].at, "pending since then");
}

#[test]
fn a_price_to_beat_that_contradicts_the_source_decides_nothing() {
    let mut w = ruled(SettlementRule::UpDown {
        oracle: OracleId(0),
        strike: Some(dollars(65_010)),
    });
    w.at(1_000).oracle(65_000, 0);
    w.at(300_500).oracle(65_005, 300);
    w.check(&[]);
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd at second 1785845100 was 65005: at or above one of the venue's price to beat \
         65010 and the value 65000 of the opening second 1785844800, and not of both",
    );
    w.resolve(0, &[0, 100]);
    w.check(&[DOWN]);
}

#[test]
fn a_market_without_rows_is_not_told() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |_| {});
    w.at(1_000).oracle(65_000, 0);
    w.at(300_500).oracle(65_000, 300);
    assert_eq!(status(&w), MarketStatus::Settled);
    assert_eq!(rows(&w), []);
}

#[test]
fn a_denied_wish_is_a_row_and_a_pause_is_told() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |_| {});
    w.wish(buy(0, 52, 10));
    w.check(&["leg 0 rejected NO_BOOK"]);
    stands(&w, MarketStatus::Open, "");
    w.step(Event::Trading {
        market: MarketId(0),
        open: false,
    });
    stands(&w, MarketStatus::Paused, "");
    let row = rows(&w).pop().unwrap();
    assert_eq!(
        (row.slug.as_str(), row.family.as_str()),
        ("market-0", "up-down 5m")
    );
}

#[test]
fn above_by_the_candle_that_starts_at_the_close() {
    // The "12:00 candle" is the minute that begins at noon.
    for (strict, close, expected) in [
        (true, 65_001, UP),
        (true, 65_000, DOWN),
        (false, 65_000, UP),
        (false, 64_999, DOWN),
    ] {
        let mut w = ruled(SettlementRule::Above {
            oracle: OracleId(0),
            strike: dollars(65_000),
            strict,
            candle_secs: Some(60),
        });
        // Neither the minute before, nor the value of the second, nor another length.
        w.at(300_500).oracle(70_000, 300);
        w.candle(240, 60, (70_000, 70_000));
        w.at(600_000).candle(300, 300, (70_000, 70_000));
        w.check(&[]);
        stands(
            &w,
            MarketStatus::Pending,
            "chainlink btcusd has not told the candle of 60 s from second 1785845100",
        );
        w.at(660_100).candle(300, 60, (64_000, close));
        w.check(&[expected]);
        let winner = if expected == UP { "Up" } else { "Down" };
        let why = format!(
            "chainlink btcusd candle of 60 s from second 1785845100 closed at {close} against 65000: \
             {winner} wins"
        );
        stands(&w, MarketStatus::Settled, &why);
    }
}

/// Values of the four seconds before an instant.
fn four(w: &mut World, before: u64, values: [i128; 4]) {
    for (second, value) in (before - 4..before).zip(values) {
        w.oracle(value, second);
    }
}

#[test]
fn a_mean_against_a_stated_strike() {
    // (65010 + 65012 + 65010 + 65012) / 4 = 65011. From value to value it goes 6, twice that a second is
    // 3, and a cent: nearer than 3.01 it does not decide.
    for (strike, expected) in [
        (65_007, &[UP][..]),
        (65_008, &[]),
        (65_011, &[]),
        (65_014, &[]),
        (65_015, &[DOWN]),
    ] {
        let mut w = ruled(SettlementRule::UpDownTwap {
            oracle: OracleId(0),
            lookback_secs: 4,
            strike: Some(dollars(strike)),
        });
        w.at(300_000).tick();
        stands(
            &w,
            MarketStatus::Pending,
            "chainlink btcusd has no value of 4 of the 4 seconds before the closing second 1785845100, \
             the first of them 1785845096",
        );
        w.at(300_100);
        four(&mut w, 300, [65_010, 65_012, 65_010, 65_012]);
        w.check(expected);
        let compared = format!(
            "chainlink btcusd mean of the 4 s before second 1785845100 was 65011 against {strike}"
        );
        match expected {
            [] => stands(
                &w,
                MarketStatus::Pending,
                &format!("{compared}, closer than the 3.01 that rebuilding it can err by"),
            ),
            [line] => {
                let winner = if *line == UP { "Up" } else { "Down" };
                let why = format!("{compared} (tolerance 3.01): {winner} wins");
                stands(&w, MarketStatus::Settled, &why);
            }
            _ => unreachable!(),
        }
    }
}

#[test]
fn a_mean_against_the_mean_before_the_opening() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |m| {
        m.opens_at = Timestamp::from_secs(START + 10);
        m.settlement = SettlementRule::UpDownTwap {
            oracle: OracleId(0),
            lookback_secs: 4,
            strike: None,
        };
    });
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.lines();
    w.at(10_500);
    four(&mut w, 10, [65_000, 65_001, 65_002, 65_001]);
    w.at(299_000);
    four(&mut w, 300, [65_010, 65_010, 65_010, 65_010]);
    // 65010 against 65001; the openings' way is 3, twice that a second 1.5, and a cent each.
    w.at(300_000).tick();
    w.check(&[UP]);
    stands(
        &w,
        MarketStatus::Settled,
        "chainlink btcusd mean of the 4 s before second 1785845100 was 65010 against 65001 (tolerance \
         1.52): Up wins",
    );
}

#[test]
fn a_mean_with_a_second_missing_waits_for_that_second() {
    let mut w = ruled(SettlementRule::UpDownTwap {
        oracle: OracleId(0),
        lookback_secs: 4,
        strike: Some(dollars(65_000)),
    });
    for second in [296, 297, 299] {
        w.at(second * 1_000 + 100).oracle(66_000, second);
    }
    w.at(301_000).oracle(66_000, 301);
    w.check(&[]);
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd has no value of 1 of the 4 seconds before the closing second 1785845100, the \
         first of them 1785845098",
    );
    w.at(400_000).oracle(66_000, 298);
    w.check(&[UP]);
}

#[test]
fn kalshis_mean_of_sixty_values() {
    let rule = |strike: Option<i128>| SettlementRule::MeanAbove {
        oracle: OracleId(0),
        lookback_secs: 60,
        strike: strike.map(dollars),
        strict: true,
    };
    let mut w = ruled(rule(None));
    for second in 240..300_u64 {
        // Half the minute at 65000, half at 65010: 65005. One step of 10: 2 × 10 / 60 + 0.01 = 0.343….
        let value = if second < 270 { 65_000 } else { 65_010 };
        w.at(second * 1_000).oracle(value, second);
    }
    w.at(300_000).tick();
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd has no strike to be compared with: the venue has not stated it",
    );
    // The venue states it, as it does a little after the opening.
    w.market(0, |m| m.settlement = rule(Some(65_004)));
    w.check(&[UP]);
    let row = rows(&w).pop().unwrap();
    assert!(
        row.evidence
            .contains("was 65005.00 against 65004.00 (tolerance 0.343333"),
        "{}",
        row.evidence
    );
    // An equal mean is within what rebuilding can err by.
    let mut w = ruled(rule(Some(65_005)));
    for second in 240..300_u64 {
        w.at(second * 1_000).oracle(65_005, second);
    }
    w.at(300_000).tick();
    w.check(&[]);
    assert_eq!(status(&w), MarketStatus::Pending);
}

fn touch(barrier: i128, rises: bool) -> SettlementRule {
    SettlementRule::Touch {
        oracle: OracleId(0),
        barrier: dollars(barrier),
        rises,
        interval_secs: 60,
    }
}

#[test]
fn a_touch_settles_as_soon_as_its_candle_is_final() {
    // The fixture's candles reach from the lower to the higher of their two prices.
    for (rises, barrier, prices) in [
        (true, 66_000, (65_000, 66_000)),
        (false, 64_000, (64_000, 65_000)),
    ] {
        let mut w = ruled(touch(barrier, rises));
        // Touched before the window, by a candle of another length, and by a tick: no touch.
        w.at(61_000).oracle(barrier, 30);
        w.candle(0, 30, prices);
        w.candle(0, 60, (65_000, 65_001));
        w.check(&[]);
        assert_eq!(status(&w), MarketStatus::Open);
        w.at(120_100).candle(60, 60, prices);
        w.check(&[UP]);
        let word = if rises { "high" } else { "low" };
        let why = format!(
            "chainlink btcusd candle of 60 s from second 1785844860 had a {word} of {barrier} against \
             {barrier}: Up wins"
        );
        stands(&w, MarketStatus::Settled, &why);
        assert!(w.told().contains(&"closed 0".to_owned()), "{:?}", w.told());
        // The venue says so a day later.
        w.at(300_000).tick();
        w.resolve(0, &[100, 0]);
        w.check(&[]);
    }
}

#[test]
fn never_touched_is_known_only_when_every_candle_was_seen() {
    let mut w = ruled(touch(66_000, true));
    for minute in [0, 1, 3, 4] {
        let now = (minute + 1) * 60_000;
        w.at(now)
            .candle(minute * 60, 60, (65_000, 65_100 + minute as i64));
    }
    w.check(&[]);
    stands(
        &w,
        MarketStatus::Pending,
        "chainlink btcusd did not reach 66000 in the candles seen (the most extreme high was 65104), but \
         the one from second 1785844920 is missing",
    );
    // It is fetched later.
    w.at(400_000).candle(120, 60, (65_000, 65_999));
    w.check(&[DOWN]);
    stands(
        &w,
        MarketStatus::Settled,
        "chainlink btcusd did not reach 66000 in any candle from second 1785844800 to 1785845100: the \
         most extreme high was 65999: Down wins",
    );
}

#[test]
fn a_missing_candle_that_touched_is_found_later() {
    let mut w = ruled(touch(66_000, true));
    for minute in [0, 1, 3, 4] {
        w.at((minute + 1) * 60_000)
            .candle(minute * 60, 60, (65_000, 65_100));
    }
    w.at(400_000).candle(120, 60, (65_000, 66_001));
    w.check(&[UP]);
}

#[test]
fn a_touch_and_a_venue_that_disagree_lock_the_capital() {
    let mut w = ruled(touch(66_000, true));
    for minute in 0..4 {
        w.at((minute + 1) * 60_000)
            .candle(minute * 60, 60, (65_000, 65_100));
    }
    // The last candle is final a little before our clock says that the market closed.
    w.at(299_900).candle(240, 60, (65_000, 65_100));
    w.resolve(0, &[100, 0]);
    w.check(&["alert SETTLEMENT_DISPUTED"]);
    stands(
        &w,
        MarketStatus::Disputed,
        "polymarket pays Up 1, Down 0 (gamma), but chainlink btcusd did not reach 66000 in any \
         candle from second 1785844800 to 1785845100: the most extreme high was 65100: Down wins",
    );
    assert_eq!(w.engine.status().locked, LOCKED);
    w.resolve(0, &[0, 100]);
    w.check(&[DOWN]);
}

#[test]
fn a_market_listed_late_finds_the_candles_that_are_kept() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.at(61_000).candle(0, 60, (65_000, 66_500));
    w.market(0, |m| m.settlement = touch(66_000, true));
    assert_eq!(status(&w), MarketStatus::Settled);
    // One whose window is not known is not decided by a touch at all.
    w.market(1, |m| {
        m.opens_at = Timestamp(0);
        m.settlement = touch(66_000, true);
    });
    let state = w.engine.market_data().market(MarketId(1)).unwrap();
    assert_eq!(state.status, MarketStatus::Open);
}

#[test]
fn a_new_barrier_asks_anew() {
    let mut w = ruled(touch(67_000, true));
    w.at(61_000).candle(0, 60, (65_000, 66_500));
    w.check(&[]);
    w.market(0, |m| m.settlement = touch(66_000, true));
    w.check(&[UP]);
}
