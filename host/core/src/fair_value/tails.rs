//! Tails: how much likelier than normal a far move is, learnt from how markets came out.
//!
//! A small committee of laws: the plain digital, and laws that are normal nine times in ten and three times
//! as wide the tenth time, each at its own width. Its word is the mean of theirs, weighted by how likely
//! each one made the outcomes so far (Bayes, with a fixed prior) and forgetting slowly. The plain
//! digital is a member with much of the prior, so that on a day without fat tails the committee comes
//! to speak nearly like it.
//!
//! Owns the weights. It never looks at a price: outcomes and distances are all it is told.

use super::{Distance, phi, rounded};
use crate::units::Price;

/// What one member of the committee says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opinion {
    /// Whose word it is.
    pub law: &'static str,
    /// The probability it gives.
    pub says: Price,
    /// How much its word counts, a share of one.
    pub weight: Price,
}

/// A member of the committee.
struct Law {
    name: &'static str,
    /// Of its core, in standard deviations as measured: 1 is the textbook's.
    width: f64,
    /// How often a move comes from a core [`WILD`] times as wide.
    wild: f64,
    /// Its weight before any outcome.
    prior: f64,
}

/// The committee. Half an hour of returns is a mean over quiet and wild minutes: most moves are smaller
/// than it says and a few are far larger. The law that is believed most says just that, with a
/// standard deviation of 1.2 in all; the wider ones wait for days that need them.
const LAWS: [Law; 5] = [
    Law::new("normal, the textbook's", 1.0, 0.0, 0.30),
    Law::new("0.9 σ, one in ten wild", 0.9, 0.1, 0.60),
    Law::new("1.05 σ, one in ten wild", 1.05, 0.1, 0.06),
    Law::new("1.25 σ, one in ten wild", 1.25, 0.1, 0.03),
    Law::new("1.5 σ, one in ten wild", 1.5, 0.1, 0.01),
];
/// How much wider the wild moves are.
const WILD: f64 = 3.0;
/// What a member said is not taken for less likely than this: one outcome alone silences nobody.
const LIKELIHOOD_MIN: f64 = 1e-6;

/// The committee.
#[derive(Debug, Clone)]
pub(super) struct Tails {
    /// Log likelihood of what was seen, forgetting.
    evidence: [f64; LAWS.len()],
    /// Of the members; they sum to one.
    weights: [f64; LAWS.len()],
}

impl Default for Tails {
    fn default() -> Self {
        let mut tails = Self {
            evidence: [0.0; LAWS.len()],
            weights: [0.0; LAWS.len()],
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

    /// What each member says of what is so far away, and how much its word counts.
    pub(super) fn opinions(&self, distance: Distance) -> Option<Vec<Opinion>> {
        let members = LAWS.iter().zip(&self.weights).zip(opinions(distance));
        let opinion = |((law, weight), p): ((&Law, &f64), f64)| {
            Some(Opinion {
                law: law.name,
                says: rounded(p)?,
                weight: rounded(weight.clamp(0.0, 1.0))?,
            })
        };
        members.map(opinion).collect()
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
        let known = self.weights.iter_mut().zip(LAWS.iter().zip(&self.evidence));
        for (weight, (law, evidence)) in known {
            *weight = libm::log(law.prior) + evidence;
        }
        normalize(&mut self.weights);
    }
}

impl Law {
    const fn new(name: &'static str, width: f64, wild: f64, prior: f64) -> Self {
        Self {
            name,
            width,
            wild,
            prior,
        }
    }

    /// The probability of a move that is not beyond `z`.
    fn cumulative(&self, z: f64) -> f64 {
        let core = z / self.width;
        (1.0 - self.wild) * phi(core) + self.wild * phi(core / WILD)
    }
}

/// What every member says.
fn opinions(distance: Distance) -> [f64; LAWS.len()] {
    LAWS.each_ref()
        .map(|law| distance.probability(|z| law.cumulative(z)))
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
