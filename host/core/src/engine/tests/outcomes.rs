//! Markets settle on evidence, or wait.

use super::world::{START, World, buy};
use crate::effect::Effect;
use crate::event::{Event, OracleTick};
use crate::ids::{InstrumentId, MarketId, OracleId, Timestamp};
use crate::market::{MarketStatus, OracleSpec, SettlementRule};
use crate::reason::Reason;
use crate::units::{SpotPrice, Usd};

const K: SpotPrice = SpotPrice(65_000_000_000_000_000_000_000);

/// Ten shares of Up at 0.52, and the book's last second.
fn holding(rule: Option<SettlementRule>) -> World {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |m| {
        if let Some(rule) = rule {
            m.settlement = rule;
        }
    });
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w
}

fn status(w: &World) -> MarketStatus {
    w.engine.market_data().market(MarketId(0)).unwrap().status
}

fn evidence(w: &World) -> String {
    let last = w.effects.iter().rev().find_map(|effect| match effect {
        Effect::UpdateTrade(update) => Some(update.evidence.clone()),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn the_oracles_tick_of_the_closing_second_decides() {
    for (close, expected) in [
        (65_001, "now resolved left 0 exit 1.00 pnl 4.80"),
        // A tie is Up.
        (65_000, "now resolved left 0 exit 1.00 pnl 4.80"),
        (64_999, "now resolved left 0 exit 0.00 pnl -5.20"),
    ] {
        let mut w = holding(None);
        w.at(1_000).oracle(65_000, 0);
        w.at(300_000).tick();
        w.check(&[]);
        assert_eq!(status(&w), MarketStatus::Pending);
        // The second before is no evidence.
        w.at(300_500).oracle(1, 299);
        w.check(&[]);
        w.at(301_000).oracle(close, 300);
        w.check(&[expected]);
        assert_eq!(status(&w), MarketStatus::Settled);
        let said = evidence(&w);
        assert!(
            said.contains(&close.to_string()) && said.contains("65000"),
            "{said}"
        );
        // A later tick changes nothing, and the venue agreeing changes nothing.
        w.at(302_000).oracle(1, 301);
        let up = if close >= 65_000 { [100, 0] } else { [0, 100] };
        w.resolve(0, &up);
        w.check(&[]);
    }
}

#[test]
fn without_the_closing_tick_a_market_stays_pending() {
    let mut w = holding(None);
    w.at(1_000).oracle(65_000, 0);
    w.at(299_000).oracle(66_000, 299);
    w.at(301_500).oracle(66_000, 301);
    // Two days later nothing has been guessed, and nothing forgotten.
    w.at(48 * 3_600_000).tick();
    w.check(&[]);
    assert_eq!(status(&w), MarketStatus::Pending);
    assert_eq!(w.engine.status().locked, Usd(5_200_000));
    w.resolve(0, &[100, 0]);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}

#[test]
fn without_a_strike_the_closing_tick_says_nothing() {
    let mut w = holding(None);
    w.at(301_000).oracle(66_000, 300);
    w.check(&[]);
    // The venue states the price to beat later: the tick is still known.
    w.market(0, |m| {
        m.settlement = SettlementRule::UpDown {
            oracle: OracleId(0),
            strike: Some(K),
        };
    });
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}

#[test]
fn a_stand_ins_opening_settles_nothing() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    for (id, proxy) in [(1, None), (0, Some(OracleId(1)))] {
        w.step(Event::OracleListed(Box::new(OracleSpec {
            id: OracleId(id),
            source: format!("source {id}"),
            symbol: "btcusd".into(),
            proxy,
        })));
    }
    let tick = |w: &mut World, oracle, second| {
        w.step(Event::OracleTick(OracleTick {
            oracle: OracleId(oracle),
            price: K,
            source_time: Timestamp::from_secs(START + second),
        }));
    };
    tick(&mut w, 1, 0);
    w.market(0, |_| {});
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    let market = |w: &World| {
        let market = w.engine.market_data().market(MarketId(0)).unwrap();
        (market.strike, market.proxy_strike)
    };
    assert_eq!(market(&w), (None, Some(K)));
    // Both feeds have the closing second; the opening one only the stand-in has.
    w.at(301_000);
    tick(&mut w, 1, 300);
    tick(&mut w, 0, 300);
    w.check(&[]);
    assert_eq!(status(&w), MarketStatus::Pending);
    w.resolve(0, &[0, 100]);
    w.check(&["now resolved left 0 exit 0.00 pnl -5.20"]);
}

#[test]
fn above_is_strict_where_the_market_says_so() {
    for (strict, expected) in [
        (true, "now resolved left 0 exit 0.00 pnl -5.20"),
        (false, "now resolved left 0 exit 1.00 pnl 4.80"),
    ] {
        let mut w = holding(Some(SettlementRule::Above {
            oracle: OracleId(0),
            strike: K,
            strict,
            candle_secs: None,
        }));
        w.at(300_200).oracle(65_000, 300);
        w.check(&[expected]);
    }
}

#[test]
fn means_and_venue_rules_wait_for_the_venue() {
    for rule in [
        SettlementRule::VenueOnly,
        SettlementRule::UpDownTwap {
            oracle: OracleId(0),
            lookback_secs: 60,
            strike: Some(K),
        },
    ] {
        let mut w = holding(Some(rule));
        w.at(300_200).oracle(66_000, 300);
        w.check(&[]);
        w.at(400_000).resolve(0, &[0, 100]);
        w.check(&["now resolved left 0 exit 0.00 pnl -5.20"]);
        assert!(evidence(&w).contains("gamma"));
        assert_eq!(
            w.told().last().unwrap(),
            "settled 0.00 pnl -5.20",
            "the strategy hears of it"
        );
    }
}

/// Ten shares of Up in a market on the candle of its five minutes, which are just over.
fn candle_holding() -> World {
    let mut w = holding(Some(SettlementRule::Candle {
        oracle: OracleId(0),
        interval_secs: 300,
    }));
    w.at(400).oracle(64_000, 0);
    w.at(300_000).tick();
    assert_eq!(status(&w), MarketStatus::Pending);
    w
}

#[test]
fn the_final_candle_of_the_window_decides() {
    for (close, expected) in [
        (65_001, "now resolved left 0 exit 1.00 pnl 4.80"),
        // A tie is Up.
        (65_000, "now resolved left 0 exit 1.00 pnl 4.80"),
        (64_999, "now resolved left 0 exit 0.00 pnl -5.20"),
    ] {
        let mut w = candle_holding();
        // No single tick is evidence, and neither is the candle of another window or length.
        w.at(300_500).oracle(1, 300);
        w.candle(0, 60, (65_000, 1));
        w.candle(240, 60, (65_000, 1));
        w.check(&[]);
        assert_eq!(status(&w), MarketStatus::Pending);
        w.at(302_000).candle(0, 300, (65_000, close));
        w.check(&[expected]);
        assert_eq!(status(&w), MarketStatus::Settled);
        let said = evidence(&w);
        for part in [
            "candle of 300 s",
            "opened at 65000",
            &format!("closed at {close}"),
        ] {
            assert!(said.contains(part), "{said}");
        }
        // Told again, and confirmed by the venue: nothing more.
        w.candle(0, 300, (65_000, close));
        w.resolve(
            0,
            if close >= 65_000 {
                &[100, 0]
            } else {
                &[0, 100]
            },
        );
        w.check(&[]);
        // The venue changing its mind is reported, and nothing is booked twice.
        let locked = w.engine.status().locked;
        w.resolve(
            0,
            if close >= 65_000 {
                &[0, 100]
            } else {
                &[100, 0]
            },
        );
        w.check(&["alert SETTLEMENT_CONTRADICTED"]);
        assert_eq!(w.engine.status().locked, locked);
        assert_eq!(status(&w), MarketStatus::Contradicted);
    }
}

#[test]
fn without_its_candle_a_market_stays_pending_until_the_venue_speaks() {
    let mut w = candle_holding();
    w.at(301_000).oracle(66_000, 301);
    w.at(602_000).candle(300, 300, (66_000, 66_001));
    w.at(48 * 3_600_000).tick();
    w.check(&[]);
    assert_eq!(status(&w), MarketStatus::Pending);
    assert_eq!(w.engine.status().locked, Usd(5_200_000));
    w.resolve(0, &[0, 100]);
    w.check(&["now resolved left 0 exit 0.00 pnl -5.20"]);
    let said = evidence(&w);
    assert!(
        said.contains("gamma") && said.contains("not recomputed"),
        "{said}"
    );
}

#[test]
fn a_candle_and_a_venue_that_disagree_lock_the_capital() {
    let mut w = holding(Some(SettlementRule::Candle {
        oracle: OracleId(0),
        interval_secs: 300,
    }));
    // The source's clock is ahead of ours: its candle is final while the market still trades.
    w.at(299_800).candle(0, 300, (65_000, 65_000));
    w.check(&[]);
    w.resolve(0, &[0, 100]);
    w.check(&["alert SETTLEMENT_DISPUTED"]);
    assert_eq!(status(&w), MarketStatus::Disputed);
    assert_eq!(w.engine.status().locked, Usd(5_200_000));
    w.resolve(0, &[100, 0]);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}

#[test]
fn a_candle_known_before_the_close_settles_at_the_close() {
    let mut w = holding(Some(SettlementRule::Candle {
        oracle: OracleId(0),
        interval_secs: 300,
    }));
    w.at(299_800).candle(0, 300, (65_000, 65_000));
    w.check(&[]);
    w.at(300_000).tick();
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}

#[test]
fn the_venue_may_resolve_early() {
    let mut w = holding(None);
    w.at(100_000).resolve(0, &[100, 0]);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
    w.wish(buy(0, 52, 10));
    w.check(&["leg 0 rejected MARKET_CLOSED"]);
}

#[test]
fn void_pays_half_a_dollar() {
    let mut w = holding(None);
    w.at(301_000).resolve(0, &[50, 50]);
    w.check(&["now resolved left 0 exit 0.50 pnl -0.20"]);
    assert_eq!(status(&w), MarketStatus::Void);
    assert_eq!(w.engine.status().cash, Usd(10_000_000_000 - 200_000));
}

#[test]
fn an_outcome_that_is_none_is_refused() {
    for payouts in [&[100, 100][..], &[100], &[-100, 200], &[]] {
        let mut w = holding(None);
        w.at(301_000).resolve(0, payouts);
        w.check(&[]);
        assert_eq!(status(&w), MarketStatus::Pending, "{payouts:?}");
        assert_eq!(w.engine.status().refused_inputs.len(), 1);
    }
}

#[test]
fn evidence_that_disagrees_locks_the_capital() {
    // The closing tick is there first but the strike is not, so that both speak at once.
    let mut w = World::bare(crate::config::EngineConfig::default());
    let known = |strike| SettlementRule::UpDown {
        oracle: OracleId(0),
        strike,
    };
    w.market(0, |m| m.settlement = known(Some(K)));
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.lines();
    // A tick of the closing second that arrives before our clock says so, then the venue's word.
    w.at(299_500).oracle(66_000, 300);
    w.resolve(0, &[0, 100]);
    w.check(&["alert SETTLEMENT_DISPUTED"]);
    assert_eq!(status(&w), MarketStatus::Disputed);
    assert_eq!(w.engine.status().locked, Usd(5_200_000));
    // Neither more ticks nor the same word end it, and five hours later, when the tick is long
    // forgotten, the venue's word alone is still not enough.
    for second in 301..18_301 {
        w.at(second * 1_000 + 500).oracle(64_000, second);
    }
    w.resolve(0, &[0, 100]);
    w.check(&[]);
    assert_eq!(status(&w), MarketStatus::Disputed);
    // Another wrong word is another alarm; the venue agreeing ends it.
    w.resolve(0, &[50, 50]);
    w.check(&["alert SETTLEMENT_DISPUTED"]);
    w.resolve(0, &[100, 0]);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}

#[test]
fn what_is_booked_is_not_booked_again() {
    let mut w = holding(None);
    w.at(1_000).oracle(65_000, 0);
    w.at(301_000).oracle(66_000, 300);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
    let before = w.engine.status();
    w.resolve(0, &[0, 100]);
    w.check(&["alert SETTLEMENT_CONTRADICTED"]);
    assert_eq!(status(&w), MarketStatus::Contradicted);
    // The same word again is no news; the right one ends it; void would be another contradiction.
    w.resolve(0, &[0, 100]);
    w.check(&[]);
    w.resolve(0, &[100, 0]);
    w.check(&["alert SETTLEMENT_RECONCILED"]);
    assert_eq!(status(&w), MarketStatus::Settled);
    w.resolve(0, &[50, 50]);
    w.check(&["alert SETTLEMENT_CONTRADICTED"]);
    let after = w.engine.status();
    assert_eq!((before.cash, before.locked), (after.cash, after.locked));
}

#[test]
fn an_old_market_is_forgotten_and_an_open_row_keeps_it() {
    let mut w = holding(None);
    w.market(1, |_| {});
    w.at(300_000).tick();
    let day = 24 * 3_600_000;
    w.at(day + 300_001).tick();
    assert!(w.engine.market_data().market(MarketId(0)).is_some());
    assert!(w.engine.market_data().market(MarketId(1)).is_none());
    w.resolve(0, &[100, 0]);
    w.at(day + 1_000_000).tick();
    assert!(w.engine.market_data().market(MarketId(0)).is_none());
    assert_eq!(w.now, Timestamp::from_secs(START + 86_400 + 1_000));
}

#[test]
fn a_listing_that_drops_an_outcome_is_refused_and_what_is_held_is_still_paid() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    let mut spec = w.engine.data.market(MarketId(0)).unwrap().spec.clone();
    spec.outcomes[0].instrument = InstrumentId(40);
    w.step(Event::MarketListed(Box::new(spec)));
    assert_eq!(w.refused(Reason::MalformedFrame), 1);
    w.resolve(0, &[100, 0]);
    w.check(&["now resolved left 0 exit 1.00 pnl 4.80"]);
}
