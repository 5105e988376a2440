//! Tails: how much likelier than normal a far move is, learnt from how markets came out.
//!
//! A small committee of laws, normal and Student-t with three degrees of freedom, each at several widths.
//! Its word is the mean of theirs, weighted by how likely each one made the outcomes so far (Bayes, with
//! a fixed prior) and forgetting slowly. The plain digital is a member, so that on a day without fat
//! tails the committee comes to speak nearly like it.
//!
//! Owns the weights. It never looks at a price: outcomes and distances are all it is told.

use super::{Distance, phi};

/// Widths of the laws, in standard deviations as measured: 1 is the textbook's.
const WIDTHS: [f64; 6] = [0.85, 1.0, 1.1, 1.25, 1.45, 1.7];
/// Laws in the committee: both shapes at every width.
const MEMBERS: usize = 2 * WIDTHS.len();
/// Before any outcome, widths are believed to lie about this: prices trend a little over minutes, so
/// ten-second returns understate what a few minutes may bring.
const PRIOR_WIDTH: f64 = 1.1;
/// The standard deviation of that belief, in the logarithm.
const PRIOR_SPREAD: f64 = 0.1;
/// Before any outcome, Student's laws have this share together.
const PRIOR_FAT: f64 = 0.4;
/// Student's laws are drawn in by this much, so that at one width both shapes agree on the half of all
/// moves that are small: the quartile of the normal law over that of Student's, 0.6745 / 0.7649.
const STUDENT_SCALE: f64 = 0.882;
/// What a member said is not taken for less likely than this: one outcome alone silences nobody.
const LIKELIHOOD_MIN: f64 = 1e-6;

/// The committee.
#[derive(Debug, Clone)]
pub(super) struct Tails {
    /// Log likelihood of what was seen, forgetting.
    evidence: [f64; MEMBERS],
    /// Of the members; they sum to one.
    weights: [f64; MEMBERS],
}

impl Default for Tails {
    fn default() -> Self {
        let mut tails = Self {
            evidence: [0.0; MEMBERS],
            weights: [0.0; MEMBERS],
        };
        tails.renew();
        tails
    }
}

impl Tails {
    /// The probability of what is so far away.
    pub(super) fn probability(&self, distance: Distance) -> f64 {
        let said = opinions(distance).into_iter().zip(&self.weights);
        let p: f64 = said.map(|(p, weight)| p * weight).sum();
        // The weights sum to one but for the last bit.
        p.clamp(0.0, 1.0)
    }

    /// What lay so far away came true, or did not; `share` of it counts.
    pub(super) fn learn(&mut self, distance: Distance, true_: bool, share: f64) {
        for (evidence, p) in self.evidence.iter_mut().zip(opinions(distance)) {
            *evidence += share * log_likelihood(p, true_);
        }
        self.renew();
    }

    /// What was learnt so far counts for so much less.
    pub(super) fn forget(&mut self, keep: f64) {
        for evidence in &mut self.evidence {
            *evidence *= keep;
        }
        self.renew();
    }

    fn renew(&mut self) {
        let prior = |width: f64, share: f64| {
            let x = libm::log(width / PRIOR_WIDTH) / PRIOR_SPREAD;
            -0.5 * x * x + libm::log(share)
        };
        let normal = WIDTHS.iter().map(|width| prior(*width, 1.0 - PRIOR_FAT));
        let fat = WIDTHS.iter().map(|width| prior(*width, PRIOR_FAT));
        let logs = normal.chain(fat).zip(&self.evidence);
        for (weight, (prior, evidence)) in self.weights.iter_mut().zip(logs) {
            *weight = prior + evidence;
        }
        normalize(&mut self.weights);
    }
}

/// What every member says.
fn opinions(distance: Distance) -> [f64; MEMBERS] {
    let mut said = [0.0; MEMBERS];
    let (normal, fat) = said.split_at_mut(WIDTHS.len());
    for (said, width) in normal.iter_mut().zip(WIDTHS) {
        *said = distance.probability(|z| phi(z / width));
    }
    for (said, width) in fat.iter_mut().zip(WIDTHS) {
        *said = distance.probability(|z| student3(z / (width * STUDENT_SCALE)));
    }
    said
}

/// The law of Student's t with three degrees of freedom:
/// `1/2 + (θ + sin θ · cos θ) / π` with `θ = atan(t / √3)`.
pub(super) fn student3(t: f64) -> f64 {
    if t.is_infinite() {
        return if t > 0.0 { 1.0 } else { 0.0 };
    }
    let x = t / libm::sqrt(3.0);
    let p = 0.5 + (libm::atan(x) + x / (1.0 + x * x)) / core::f64::consts::PI;
    p.clamp(0.0, 1.0)
}

/// Of an outcome that was given the probability `p`.
pub(super) fn log_likelihood(p: f64, true_: bool) -> f64 {
    let p = if true_ { p } else { 1.0 - p };
    libm::log(if p < LIKELIHOOD_MIN {
        LIKELIHOOD_MIN
    } else {
        p
    })
}

/// Turns log weights into weights that sum to one.
pub(super) fn normalize(logs: &mut [f64]) {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for log in logs.iter_mut() {
        *log = libm::exp(*log - most);
        sum += *log;
    }
    for weight in logs {
        *weight /= sum;
    }
}
