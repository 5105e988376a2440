//! Whether a candidate earns more, told as soon as it can be, and wrongly no more often than was agreed.
//!
//! Looked at after every market, however long: the error rate holds for all looks together.
//!
//! # The assumption, in words
//! Were the candidate no better, then what it earned more in one pair would be as likely to be plus a sum
//! as minus that sum, whatever the sum, and whatever came before. Two versions of the same distribution
//! satisfy it exactly: which of them is called the candidate makes no difference, so the difference is
//! symmetric; heavy tails, many exact zeros, fees that skew both, sizes that depend on the market are all
//! allowed. One that is worse by an amount in every pair, however it varies, satisfies it as well.
//!
//! # The test
//! For a difference `d` symmetric about zero and any `λ > 0`, `e^(λd) / cosh(λd) = 1 + tanh(λd)` has
//! mean one, and it grows with `d`, so that its mean is at most one when `d` is symmetric about less. The
//! product over the pairs is then a test supermartingale; so is the average of several products, one for
//! each `λ`. It reaches `1 / error` with a probability of at most `error`, ever (Ville's inequality).
//!
//! This is de la Peña's `e^(λd − λ²d²/2)` (V. H. de la Peña, "A general class of exponential inequalities
//! for martingales and ratios", Annals of Probability 27, 1999) with `cosh(λd)` in the place of its upper
//! bound `e^(λ²d²/2)`: never smaller, so never later, and monotone, which the other is not. That tests of
//! symmetry by the former can be improved so is in A. Ramdas, J. Ruf, M. Larsson, W. Koolen, "Admissible
//! anytime-valid sequential inference must rely on nonnegative martingales" (2020).
//!
//! Gains count at most `ln 2` each and losses in full (`ln(1 + tanh x) ≤ x`): evidence above one means
//! that the sum of the differences is above zero.

use pm_arb_core::units::{Bps, Usd};

/// `1 / λ` of the finest bet, in dollars.
const FINEST_USD: f64 = 0.25;
/// Each further bet is on a scale so many times larger. Between two, no more than a third of the
/// evidence's growth is lost.
const COARSER: f64 = 4.0;
/// From a quarter of a dollar to 16,384 dollars.
const SCALES: usize = 9;

/// The evidence so far that a candidate is better.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequential {
    /// Logarithm of the product, by scale.
    logs: [f64; SCALES],
    pairs: u64,
}

impl Sequential {
    /// One pair: what the candidate earned more.
    pub fn observe(&mut self, difference: Usd) {
        self.pairs = self.pairs.saturating_add(1);
        let dollars = difference.0 as f64 / 1e6;
        let mut scale = FINEST_USD;
        for log in &mut self.logs {
            *log += ln_factor(dollars / scale);
            scale *= COARSER;
        }
    }

    /// Pairs so far.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Natural logarithm of the evidence: one to begin with.
    #[must_use]
    pub fn ln_evidence(&self) -> f64 {
        let most = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.logs.iter().map(|log| (log - most).exp()).sum();
        most + (sum / SCALES as f64).ln()
    }

    /// The evidence, as it is shown.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        self.ln_evidence().exp()
    }

    /// Whether it says "better" at that rate of errors.
    #[must_use]
    pub fn is_passed(&self, error: Bps) -> bool {
        self.ln_evidence() >= needed(error).ln()
    }
}

/// The evidence that an error rate needs. A rate of zero is never reached.
#[must_use]
pub fn needed(error: Bps) -> f64 {
    10_000.0 / f64::from(error.0.max(0))
}

/// `ln(1 + tanh x)`, exact for large `x` of either sign.
fn ln_factor(x: f64) -> f64 {
    // 1 + tanh x = 2 / (1 + e^(−2x))
    let tail = if x > 0.0 {
        (-2.0 * x).exp().ln_1p()
    } else {
        -2.0 * x + (2.0 * x).exp().ln_1p()
    };
    std::f64::consts::LN_2 - tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_fair_for_either_sign_and_finite() {
        for x in [0.0, 1e-9, 0.3, 1.0, 7.0, 30.0] {
            let both = ln_factor(x).exp() + ln_factor(-x).exp();
            assert!((both - 2.0).abs() < 1e-12, "{x}: {both}");
        }
        for x in [1e3, 1e12] {
            assert!((ln_factor(x) - std::f64::consts::LN_2).abs() < 1e-12);
            assert!(ln_factor(-x) < -x && ln_factor(-x).is_finite());
        }
    }

    #[test]
    fn nothing_is_learnt_from_nothing() {
        let mut test = Sequential::default();
        assert_eq!(test.evidence(), 1.0);
        (0..1_000).for_each(|_| test.observe(Usd::ZERO));
        assert!((test.evidence() - 1.0).abs() < 1e-9 && test.pairs() == 1_000);
        assert!(!test.is_passed(Bps(9_999)) && !test.is_passed(Bps(0)));
    }

    /// Wins a little often and loses much rarely: the rare loss outweighs all it won.
    #[test]
    fn evidence_above_one_means_that_more_was_earned() {
        let mut test = Sequential::default();
        let mut sum = 0;
        for n in 1..=500 {
            let d = if n % 40 == 0 { -60_000_000 } else { 1_000_000 };
            sum += d;
            test.observe(Usd(d));
            if sum <= 0 {
                assert!(test.evidence() <= 1.0, "{n}: {}", test.evidence());
            }
        }
        assert!(sum < 0 && !test.is_passed(Bps(500)));
    }
}
