//! How often the test calls a candidate better that is not: counted, over a thousand trials of each world.

use pm_arb::config::Config;
use pm_arb::shadow::{Phase, Policy, Sequential, ShadowRow, Verdict};
use pm_arb_core::units::Usd;

const TRIALS: u64 = 1_000;
const MARKETS: u64 = 400;
/// A share of 5 % of 1,000 is at most this in 999 of 1,000 such tests: the 99.9 % point of Binomial(1000, 0.05).
const MOST: u64 = 72;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In (0, 1).
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

/// A world: what a version of a strategy earns in a market of that size.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    /// How often it does not trade.
    idle: f64,
    /// Power of the tail of its results: below two, their variance is infinite.
    tail: f64,
    /// Paid for every trade, in dollars.
    fee: f64,
    /// Sizes of markets lie between one and this.
    sizes: f64,
}

const WORLDS: [World; 4] = [
    World {
        name: "plain",
        idle: 0.0,
        tail: 8.0,
        fee: 0.0,
        sizes: 1.0,
    },
    World {
        name: "many zeros and fees",
        idle: 0.7,
        tail: 4.0,
        fee: 0.4,
        sizes: 1.0,
    },
    World {
        name: "heavy tails",
        idle: 0.2,
        tail: 1.3,
        fee: 0.1,
        sizes: 1.0,
    },
    World {
        name: "heavy tails, sizes of markets, fees",
        idle: 0.5,
        tail: 1.5,
        fee: 0.3,
        sizes: 200.0,
    },
];

impl World {
    /// One version's result, `more` dollars a unit of size better.
    fn earns(self, rng: &mut Rng, size: f64, more: f64) -> f64 {
        if rng.unit() < self.idle {
            return 0.0;
        }
        // Wins little often, loses more seldom, as who buys at 0.70 does.
        let magnitude = rng.unit().powf(-1.0 / self.tail);
        let result = if rng.unit() < 0.7 { 0.3 } else { -0.7 } * magnitude;
        (result + more) * size - self.fee
    }

    /// Whether a candidate is called better, looked at after every market.
    fn promotes(self, policy: &Policy, seed: u64, more: f64) -> bool {
        let mut rng = Rng(seed);
        let mut test = Sequential::default();
        let mut row = ShadowRow {
            phase: Phase::Comparing,
            ..ShadowRow::default()
        };
        for _ in 0..MARKETS {
            let size = self.sizes.powf(rng.unit());
            let theirs = self.earns(&mut rng, size, 0.0);
            let ours = self.earns(&mut rng, size, more);
            test.observe(Usd(((ours - theirs) * 1e6) as i64));
            row.markets += 1;
            match policy.judge(&row, &test) {
                Verdict::Better(_) => return true,
                Verdict::End(_) => return false,
                Verdict::GoOn(_) => {}
            }
        }
        false
    }

    fn promoted(self, policy: &Policy, more: f64) -> u64 {
        (0..TRIALS)
            .filter(|n| self.promotes(policy, 0xBEEF + n * 7_919, more))
            .count() as u64
    }
}

fn policy() -> Policy {
    let policy = Config::default().shadow_policy().unwrap();
    assert_eq!(policy.error_rate.0, 500);
    Policy {
        markets_max: MARKETS,
        ..policy
    }
}

#[test]
fn versions_that_are_no_better_are_promoted_no_more_often_than_stated() {
    let policy = policy();
    for world in WORLDS {
        for (what, more) in [
            ("identical", 0.0),
            ("a little worse", -0.02),
            ("worse", -0.3),
        ] {
            let promoted = world.promoted(&policy, more);
            println!("{}, {what}: {promoted} of {TRIALS} promoted", world.name);
            assert!(
                promoted <= MOST,
                "{}, {what}: {promoted} of {TRIALS}",
                world.name
            );
        }
    }
}

#[test]
fn a_truly_better_version_is_mostly_promoted() {
    let policy = policy();
    for (world, more) in WORLDS.into_iter().zip([0.3, 0.8, 1.5, 2.0]) {
        let promoted = world.promoted(&policy, more);
        println!(
            "{}, {more} better: {promoted} of {TRIALS} promoted",
            world.name
        );
        assert!(promoted >= TRIALS * 8 / 10, "{}: {promoted}", world.name);
    }
}

/// These trials can tell: the usual test, looked at after every market, is wrong far more often on them.
#[test]
fn the_trials_catch_a_test_that_must_not_be_looked_at() {
    let world = WORLDS[0];
    let peeks = |seed: u64| {
        let mut rng = Rng(seed);
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        (0..MARKETS).any(|_| {
            let theirs = world.earns(&mut rng, 1.0, 0.0);
            let d = world.earns(&mut rng, 1.0, 0.0) - theirs;
            (n, sum, squares) = (n + 1.0, sum + d, squares + d * d);
            n >= 30.0 && sum / f64::sqrt(squares) > 1.645
        })
    };
    let wrong = (0..TRIALS).filter(|n| peeks(0xBEEF + n * 7_919)).count() as u64;
    assert!(wrong > 2 * MOST, "{wrong} of {TRIALS}");
}
