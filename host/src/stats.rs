//! How sure a mean or a sum is, when the observations come in clusters.
//!
//! Owns the bootstrap: everything traded in one market hangs on one outcome, so whole markets are drawn
//! again, never single trades. The draws come from a seed, so the same input gives the same interval on
//! every machine. Numbers here are floating point and for reading; they never become money.

/// How many times the clusters are drawn again. With 2,000 draws the ends of a 95 % interval rest on
/// 50 draws each, and move by a few hundredths of the interval's width between seeds.
pub const RESAMPLES: usize = 2_000;
/// What is left out at either end, of 1,000: 25 and 25 make an interval of 95 %.
const TAIL_PER_MILLE: usize = 25;

/// Where the true value lies in 95 of 100 such samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of the mean of one observation, all clusters pooled.
///
/// A draw takes as many clusters as there are, with repetition, and divides the sum of their
/// observations by their number: a cluster counts by what it holds. `None` when that says nothing: with
/// fewer than two clusters that hold an observation, or a number that is not finite.
#[must_use]
pub fn bootstrap_mean(clusters: &[Vec<f64>], seed: u64) -> Option<Interval> {
    let sums: Vec<(f64, f64)> = clusters
        .iter()
        .filter(|c| !c.is_empty())
        .map(|c| (c.iter().sum(), c.len() as f64))
        .collect();
    bootstrap_ratio(&sums, seed)
}

/// The interval of a ratio of two sums, such as dollars a share: each cluster is `(dollars, shares)`.
///
/// `None` with fewer than two clusters whose divisor is above zero, or a number that is not finite.
#[must_use]
pub fn bootstrap_ratio(clusters: &[(f64, f64)], seed: u64) -> Option<Interval> {
    let clusters: Vec<(f64, f64)> = clusters.iter().copied().filter(|c| c.1 != 0.0).collect();
    if clusters
        .iter()
        .any(|(sum, count)| !sum.is_finite() || !count.is_finite() || *count < 0.0)
    {
        return None;
    }
    resample(&clusters, seed, |draw| {
        let (sum, count) = draw.fold((0.0, 0.0), |a, c| (a.0 + c.0, a.1 + c.1));
        sum / count
    })
}

/// The interval of the sum over the clusters, one number each.
///
/// `None` with fewer than two clusters, or a number that is not finite.
#[must_use]
pub fn bootstrap_total(clusters: &[f64], seed: u64) -> Option<Interval> {
    if clusters.iter().any(|c| !c.is_finite()) {
        return None;
    }
    resample(clusters, seed, |draw| draw.sum())
}

/// Where the true share of successes lies, by Wilson's method, when trials are independent of each other;
/// `None` without a trial.
#[must_use]
pub fn share(successes: u64, trials: u64) -> Option<Interval> {
    /// Of the normal distribution, 95 % lie within so many standard deviations.
    const Z: f64 = 1.959_963_985;
    if trials == 0 || successes > trials {
        return None;
    }
    let n = trials as f64;
    let seen = successes as f64 / n;
    let middle = (seen + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (seen * (1.0 - seen) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Interval {
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    })
}

/// Draws the clusters again, [`RESAMPLES`] times, and keeps the middle of what `figure` makes of it.
fn resample<T>(
    clusters: &[T],
    seed: u64,
    figure: impl Fn(&mut dyn Iterator<Item = &T>) -> f64,
) -> Option<Interval> {
    let count = u64::try_from(clusters.len()).ok()?;
    if count < 2 {
        return None;
    }
    let mut random = SplitMix(seed);
    let mut figures: Vec<f64> = (0..RESAMPLES)
        .map(|_| figure(&mut (0..clusters.len()).filter_map(|_| clusters.get(random.below(count)))))
        .collect();
    figures.sort_by(f64::total_cmp);
    let out = RESAMPLES * TAIL_PER_MILLE / 1_000;
    let (low, high) = (*figures.get(out)?, *figures.get(RESAMPLES - 1 - out)?);
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}

/// SplitMix64: small, fast, and far better than a bootstrap needs.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, by multiplication: the bias is below `bound` in 2^64.
    fn below(&mut self, bound: u64) -> usize {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform in [0, 1).
    fn uniform(random: &mut SplitMix) -> f64 {
        (random.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Roughly normal, mean 0, variance 1: the sum of twelve uniforms.
    fn normal(random: &mut SplitMix) -> f64 {
        (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
    }

    #[test]
    fn a_share_lies_where_wilson_says() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(2, 1), None);
        // Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (x, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = share(x, n).unwrap();
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5);
        }
    }

    #[test]
    fn too_little_or_senseless_says_nothing() {
        for clusters in [
            vec![],
            vec![vec![]],
            vec![vec![1.0, 2.0]],
            vec![vec![1.0], vec![]],
            vec![vec![1.0], vec![f64::NAN]],
            vec![vec![1.0], vec![f64::INFINITY]],
        ] {
            assert_eq!(bootstrap_mean(&clusters, 1), None, "{clusters:?}");
        }
        for clusters in [vec![], vec![1.0], vec![1.0, f64::NAN]] {
            assert_eq!(bootstrap_total(&clusters, 1), None, "{clusters:?}");
        }
        for clusters in [vec![(1.0, 0.0), (2.0, 1.0)], vec![(1.0, -1.0), (2.0, 1.0)]] {
            assert_eq!(bootstrap_ratio(&clusters, 1), None, "{clusters:?}");
        }
    }

    #[test]
    fn without_spread_there_is_no_doubt() {
        let clusters = vec![vec![2.0; 3]; 4];
        let exact = Interval {
            low: 2.0,
            high: 2.0,
        };
        assert_eq!(bootstrap_mean(&clusters, 1), Some(exact));
        let exact = Interval {
            low: 10.0,
            high: 10.0,
        };
        assert_eq!(bootstrap_total(&[2.5; 4], 1), Some(exact));
    }

    #[test]
    fn the_seed_decides_everything() {
        let clusters: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 3.0).collect();
        let one = bootstrap_total(&clusters, 1).unwrap();
        assert_eq!(bootstrap_total(&clusters, 1).unwrap(), one);
        assert_ne!(bootstrap_total(&clusters, 2).unwrap(), one);
    }

    #[test]
    fn a_coin_of_two_clusters_is_known_exactly() {
        // The mean of two draws from {0, 1} is 0, ½ or 1 with ¼, ½, ¼: both ends are reached.
        let interval = bootstrap_mean(&[vec![0.0], vec![1.0]], 3).unwrap();
        assert_eq!((interval.low, interval.high), (0.0, 1.0));
        // A cluster counts by what it holds: {0 0 0, 1} draws 0, ¼ or 1.
        let ratio = bootstrap_ratio(&[(0.0, 3.0), (1.0, 1.0)], 3).unwrap();
        assert_eq!((ratio.low, ratio.high), (0.0, 1.0));
    }

    #[test]
    fn ninety_five_of_a_hundred_intervals_hold_the_truth() {
        let mut random = SplitMix(20_261_122);
        let mut hits = [0_u32; 2];
        let rounds = 200;
        for round in 0..rounds {
            // 50 clusters of 1 to 4 observations that share a shock: mean 0.3.
            let clusters: Vec<Vec<f64>> = (0..50)
                .map(|i| {
                    let shock = normal(&mut random);
                    (0..=i % 4)
                        .map(|_| 0.3 + shock + 0.2 * normal(&mut random))
                        .collect()
                })
                .collect();
            let mean = bootstrap_mean(&clusters, round).unwrap();
            hits[0] += u32::from(mean.low <= 0.3 && 0.3 <= mean.high);
            // Drawing single observations instead forgets that they hang together.
            let single: Vec<Vec<f64>> = clusters.concat().into_iter().map(|x| vec![x]).collect();
            let single = bootstrap_mean(&single, round).unwrap();
            hits[1] += u32::from(single.low <= 0.3 && 0.3 <= single.high);
        }
        // Of 200, 95 % are 190; the bootstrap of 50 clusters is known to be a little narrow.
        assert!((178..=198).contains(&hits[0]), "{hits:?}");
        assert!(hits[1] < 170, "clusters must matter here: {hits:?}");
    }

    #[test]
    fn a_total_is_the_mean_times_the_number() {
        let clusters: Vec<f64> = (0..30).map(|i| f64::from(i * i % 11) - 4.0).collect();
        let total = bootstrap_total(&clusters, 9).unwrap();
        let single: Vec<Vec<f64>> = clusters.iter().map(|x| vec![*x]).collect();
        let mean = bootstrap_mean(&single, 9).unwrap();
        assert!((total.low - 30.0 * mean.low).abs() < 1e-9);
        assert!((total.high - 30.0 * mean.high).abs() < 1e-9);
    }
}
