//! Golden values, and that every number is what the core says when it is asked directly.
#![allow(clippy::unwrap_used)]

use super::inputs::{Form, Inputs};
use super::stage::{self, Stage};
use super::*;
use crate::rulebook::built_in;
use pm_arb_core::units::{ONE, Qty, Rounding, SpotPrice};
use proptest::prelude::*;

/// 2026-09-01: 0.07 × p × (1 − p), 250 ms.
fn form(pairs: &[(&str, &str)]) -> Inputs {
    let mut all = vec![("day".to_owned(), "2026-09-01".to_owned())];
    all.extend(
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned())),
    );
    Form::of(&all, Timestamp(0)).read.unwrap()
}

fn worked(pairs: &[(&str, &str)]) -> Worked {
    work(&form(pairs), &built_in().unwrap()).unwrap()
}

fn usd(text: &str) -> Money {
    Money(Usd::parse(text).unwrap())
}

#[test]
fn the_example_of_the_plan() {
    let example = worked(&[]);
    // honest-paper: 1.000, .964, .850, .768, .643 by the plain digital.
    let digital: Vec<_> = example.horizons.iter().map(|h| h.digital).collect();
    let golden = ["0.999838", "0.963883", "0.850334", "0.768490", "0.643168"];
    assert_eq!(digital, golden.map(usd));
    assert_eq!(example.fair.digital, usd("0.963883"));
    // .01747 a share; a hundred shares pay 1.7472.
    let trade = example.trade.unwrap();
    assert_eq!(trade.fee_per_share, usd("0.017472"));
    assert_eq!(
        (trade.value, trade.fee, trade.paid),
        (usd("52"), usd("1.7472"), usd("53.7472"))
    );
    assert_eq!((trade.win, trade.lose), (usd("46.2528"), usd("-53.7472")));
    assert_eq!(trade.break_even, usd("0.537472"));
    // The plan's own example is one that the scanner does not believe.
    assert_eq!(example.verdict.code, "EDGE_IMPLAUSIBLE");
    let arrival = &example.arrival;
    assert_eq!(
        (arrival.venue_delay_ms, arrival.arrival_ms),
        (Some(250), Some(300))
    );
    assert!(example.rules.broken.is_empty());
    assert_eq!(
        example.rules.fee.rule,
        "rulebook: polymarket crypto taker fee from 2026-05-11"
    );
}

#[test]
fn the_golden_baskets() {
    let net = |w: &Worked, i: usize| (w.baskets[i].gross, w.baskets[i].net);
    // YES 45 c + NO 48 c: 7 c gross, 3.5 c after fees.
    let here = worked(&[]);
    assert_eq!(net(&here, 0), (usd("0.07"), Some(usd("0.03521"))));
    // Implication at 60 and 55 on Kalshi: gross .05, fees .0342, net .0158.
    let there = worked(&[("venue", "kalshi")]);
    assert_eq!(net(&there, 1), (usd("0.05"), Some(usd("0.0158"))));
    assert_eq!(here.baskets.len(), 3);
}

#[test]
fn an_unknown_rule_refuses_and_is_never_a_zero() {
    let spring = worked(&[("day", "2026-03-30")]);
    assert_eq!(spring.trade, None);
    assert_eq!(spring.trade_refused.unwrap().code, "UNKNOWN_FEE");
    assert_eq!(
        (spring.verdict.code, spring.verdict.judged),
        ("UNKNOWN_FEE", None)
    );
    assert_eq!(spring.rules.fee.says, None);
    assert!(spring.arrival.break_even_spot.is_none());
    assert_eq!(spring.baskets[0].net, None);
    // What does not need the fee stands.
    assert_eq!(spring.fair.digital, usd("0.963883"));

    let late = worked(&[("left", "1"), ("latency", "900")]);
    assert_eq!(late.trade_refused.unwrap().code, "MARKET_CLOSED");
    let small = worked(&[("qty", "1"), ("price", "0.525")]);
    let broken: Vec<_> = small.rules.broken.iter().map(|b| b.code).collect();
    assert_eq!(broken, ["BELOW_MINIMUM", "OFF_TICK"]);
    // The delay was lifted between February and June.
    assert_eq!(
        worked(&[("day", "2026-05-20")]).arrival.arrival_ms,
        Some(50)
    );
    assert_eq!(worked(&[("delay", "0")]).arrival.arrival_ms, Some(50));
}

#[test]
fn an_edge_at_the_money_may_be_gone_on_arrival() {
    // The spot is exactly where nothing is left: half of the time it is taken back.
    let first = worked(&[("left", "300"), ("bid", "")]);
    let spot = first.arrival.break_even_spot.unwrap();
    let there = worked(&[("left", "300"), ("bid", ""), ("spot", &spot)]);
    let still = there.arrival.oracle_still_there.unwrap().0;
    assert!((still.0 - ONE / 2).abs() < 2_000, "{still}");
    let edge = there.verdict.judged.unwrap().edge.0;
    assert!(edge.0.abs() < 200, "nothing is left there: {edge}");
    // Before the move the model said what the market still says.
    let before = first.arrival.fair_before.unwrap().0;
    assert!((before.0 - 520_000).abs() <= 1, "{before}");
}

#[test]
fn the_curve_rises_through_spot_and_strike() {
    let curve = worked(&[]).by_spot;
    assert_eq!(curve.len(), 61);
    assert!(
        curve
            .windows(2)
            .all(|w| w[0].digital <= w[1].digital && w[0].model <= w[1].model)
    );
    let (first, last) = (&curve[0], &curve[60]);
    let of = |p: &SpotPoint| SpotPrice::parse(&p.spot).unwrap();
    assert!(of(first) < SpotPrice::parse("97000").unwrap());
    assert!(of(last) > SpotPrice::parse("97841").unwrap());
}

fn anything() -> impl Strategy<Value = Inputs> {
    let price = 1_000..999_000_i64;
    (
        (
            1_i64..200_000,
            1_i64..200_000,
            100_i32..50_000,
            1_u64..200_000,
        ),
        (price, 0..999_000_i64, 1_i64..100_000),
        (
            any::<bool>(),
            0_u64..1_000,
            0_u64..60_000,
            proptest::option::of(0_u64..60_000),
        ),
    )
        .prop_map(
            |(
                (spot, strike, volatility, left),
                (price, bid, qty),
                (kalshi, day, latency, delay),
            )| {
                let whole = |n: i64| SpotPrice(i128::from(n) * 10_i128.pow(18));
                Inputs {
                    spot: whole(spot),
                    strike: whole(strike),
                    volatility: pm_arb_core::units::Bps(volatility),
                    left: Nanos::from_ms(left * 1_000),
                    price: Price(price),
                    bid: (bid > 0 && bid < price).then_some(Price(bid)),
                    qty: Qty(qty * ONE / 10),
                    venue: if kalshi {
                        Venue::Kalshi
                    } else {
                        Venue::Polymarket
                    },
                    // From 2024 on, a day and a bit each.
                    day: Timestamp::from_secs(1_704_067_200 + day * 90_000),
                    latency: Nanos::from_ms(latency),
                    delay: delay.map(Nanos::from_ms),
                }
            },
        )
}

proptest! {
    /// Whatever is asked: the numbers are those of the core's functions called directly, and the verdict
    /// is what the engine did.
    #[test]
    fn every_number_is_the_cores(inputs in anything()) {
        let book = built_in().unwrap();
        let at = stage::instant(&inputs);
        let worked = work(&inputs, &book).unwrap();
        let variance = Rate::annual(inputs.volatility).over(inputs.left);
        let distance = fair_value::digital(inputs.spot, inputs.strike, variance).unwrap();
        let near = |a: Money, b: Price| (a.0.0 - b.0).abs() <= 1;
        prop_assert!(near(worked.fair.digital, distance.normal().unwrap()));
        let calibration = Calibration::default();
        prop_assert!(near(worked.fair.model, calibration.model(distance).unwrap()));
        let weighted: i128 = worked.fair.laws.iter()
            .map(|law| i128::from(law.says.0.0) * i128::from(law.weight.0.0)).sum();
        let mean = i64::try_from(weighted / i128::from(ONE)).unwrap();
        prop_assert!((mean - worked.fair.model.0.0).abs() <= 10, "{} {}", mean, worked.fair.model);

        let fee = book.taker_fees.on(&fee_subject(inputs.venue), at).says;
        let stage = Stage::set(&inputs, fee.unwrap_or(FeeSchedule::Unknown));
        prop_assert_eq!(stage.published().map(Money), worked.verdict.judged.as_ref()
            .filter(|_| worked.verdict.code == "opportunity").map(|j| j.edge));
        if let Some(trade) = &worked.trade {
            let fee = fee.unwrap();
            prop_assert_eq!(trade.fee, Money(fee.fee(inputs.price, inputs.qty).unwrap()));
            prop_assert_eq!(trade.value, Money(inputs.price.times(inputs.qty, Rounding::Up).unwrap()));
            let of_win = trade.win.0.0 - trade.lose.0.0;
            prop_assert_eq!(of_win, inputs.qty.0, "a share that wins pays a dollar more");
            prop_assert_eq!(trade.by_odds.first().map(|p| p.after_fee), Some(trade.lose));
            prop_assert_eq!(trade.by_odds.last().map(|p| p.after_fee), Some(trade.win));
            if let Some(judged) = &worked.verdict.judged {
                prop_assert_eq!(judged.fee, trade.fee_per_share);
                let edge = judged.fair.0.0 - judged.ask.0.0 - judged.fee.0.0 - judged.haircut.0.0;
                prop_assert_eq!(judged.edge.0.0, edge);
            }
        } else {
            prop_assert!(worked.trade_refused.is_some());
        }
        if let Some(still) = worked.arrival.oracle_still_there {
            prop_assert!((0..=ONE).contains(&still.0.0));
        }
    }
}
