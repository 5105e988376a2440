//! What outcomes teach, and what is said before any.

use super::tails::Tails;
use super::*;
use crate::units::Usd;
use proptest::prelude::*;

/// So many standard deviations above the strike.
fn away(z: f64) -> Distance {
    Distance { z, touch: false }
}

fn forecast(calibration: &Calibration, z: f64, book: Option<Price>) -> Forecast {
    let model = calibration.model(away(z)).unwrap();
    Forecast {
        left: TimeLeft::of(Nanos::from_ms(60_000)),
        distance: away(z),
        model,
        book,
        fair: book.map_or(model, |book| calibration.blend(model, book)),
    }
}

#[test]
fn the_committee_before_any_outcome() {
    // Computed independently: .3 of Φ(z), and of .9 Φ(z/w) + .1 Φ(z/3w) at the widths .9, 1.05, 1.25
    // and 1.5 the shares .6, .06, .03 and .01.
    let tails = Tails::default();
    for (z, p) in [
        (0.0, 0.5),
        (1.0, 0.838_063_412),
        (2.0, 0.965_687_117),
        (3.0, 0.988_915_450),
        (5.0, 0.997_329_498),
        (-3.0, 0.011_084_550),
    ] {
        let said = tails.probability(away(z));
        assert!((said - p).abs() < 1e-8, "{z}: {said}");
    }
    // What is certain stays certain.
    let model = |z| Calibration::default().model(away(z));
    assert_eq!(model(f64::INFINITY), Some(Price::DOLLAR));
    assert_eq!(model(f64::NEG_INFINITY), Some(Price::ZERO));
}

#[test]
fn touching_has_the_same_tails() {
    let calibration = Calibration::default();
    let ends = calibration.model(away(-2.0)).unwrap();
    let touch = Distance {
        z: 2.0,
        touch: true,
    };
    let touches = calibration.model(touch).unwrap();
    assert!((touches.0 - 2 * ends.0).abs() <= 1, "{touches} {ends}");
    let there = Distance {
        z: 0.0,
        touch: true,
    };
    assert_eq!(calibration.model(there), Some(Price::DOLLAR));
}

#[test]
fn a_wild_day_makes_tails_fatter_and_a_normal_one_thins_them() {
    // Three standard deviations that fail one time in ten, and such that never do.
    let (mut wild, mut calm) = (Calibration::default(), Calibration::default());
    let before = wild.model(away(3.0)).unwrap();
    for n in 0..200 {
        let said = forecast(&wild, 3.0, None);
        wild.learn(&[said; 8], n % 10 != 0);
        let said = forecast(&calm, 3.0, None);
        calm.learn(&[said; 8], true);
    }
    let (fat, thin) = (
        wild.model(away(3.0)).unwrap(),
        calm.model(away(3.0)).unwrap(),
    );
    assert!(fat < before && before < thin, "{fat} {before} {thin}");
    assert!(fat < Price(965_000), "{fat}");
    assert!(thin > Price(993_000), "{thin}");
}

#[test]
fn the_blend_lies_between_and_follows_whoever_was_right() {
    let fresh = Calibration::default();
    // Half and half in log-odds: logit .8 = 1.386294, logit .5 = 0: logistic(.693147) = 2/3.
    assert_eq!(fresh.blend(Price(800_000), Price(500_000)), Price(666_667));
    assert_eq!(fresh.blend(Price::DOLLAR, Price(500_000)), Price::DOLLAR);
    let (mut of_model, mut of_book) = (fresh.clone(), fresh.clone());
    for n in 0..200 {
        let sure = forecast(&fresh, 1.5, Some(Price(500_000)));
        of_model.learn(&[sure; 8], true);
        of_book.learn(&[sure; 8], n % 2 == 0);
    }
    let blend = |c: &Calibration| c.blend(Price(800_000), Price(500_000));
    assert!(blend(&of_model) > Price(760_000), "{}", blend(&of_model));
    assert!(blend(&of_book) < Price(560_000), "{}", blend(&of_book));
}

#[test]
fn a_haircut_is_what_chance_does_not_explain() {
    let minute = TimeLeft::of(Nanos::from_ms(60_000));
    let mut c = Calibration::default();
    assert_eq!(c.haircut(minute), Usd(5_000));
    // Well calibrated: nothing more.
    let at = |p: i64| Forecast {
        fair: Price(p),
        ..forecast(&Calibration::default(), 1.0, None)
    };
    for n in 0..100 {
        c.learn(&[at(750_000)], n % 4 != 0);
    }
    assert_eq!(c.haircut(minute), Usd(5_000));
    // Three of four promised and two of four kept: 25 cents less a standard error.
    let mut c = Calibration::default();
    for n in 0..400 {
        c.learn(&[at(750_000)], n % 2 == 0);
    }
    let haircut = c.haircut(minute);
    assert!(
        Usd(200_000) < haircut && haircut < Usd(250_000),
        "{haircut}"
    );
    // Of another time left nothing was learnt.
    let hour = TimeLeft::of(Nanos::from_ms(3_600_000));
    assert_eq!(c.haircut(hour), Usd(5_000));
}

#[test]
fn times_left() {
    let of = |s: u64| TimeLeft::of(Nanos::from_ms(s * 1_000));
    let fits = |s: u64| of(s).fits(Nanos::from_ms(s * 1_000));
    assert_eq!(of(5), of(1));
    assert_eq!((of(6), of(10)), (of(7), of(8)));
    assert!(of(240) < of(180) && of(3_600) == of(90_000));
    // An opening of five minutes is not a forecast ten minutes before the end.
    assert!(fits(240) && fits(181) && !fits(299) && !fits(90_000) && !fits(1));
}

proptest! {
    /// Whatever was learnt, a probability is one and rises with the distance.
    #[test]
    fn a_committee_never_talks_nonsense(lessons in prop::collection::vec((-9.0_f64..9.0, any::<bool>()), 0..60), z in -50.0_f64..50.0) {
        let mut c = Calibration::default();
        for (z, true_) in lessons {
            let said = forecast(&c, z, Some(Price(400_000)));
            c.learn(&[said], true_);
        }
        let (lower, higher) = (c.model(away(z)).unwrap(), c.model(away(z + 0.5)).unwrap());
        prop_assert!(Price::ZERO <= lower && lower <= higher && higher <= Price::DOLLAR);
        let blend = c.blend(lower, Price(400_000));
        prop_assert!(blend >= lower.min(Price(400_000)) && blend <= lower.max(Price(400_000)));
        prop_assert!(c.haircut(TimeLeft::of(Nanos::from_ms(1))) >= Usd(5_000));
    }
}
