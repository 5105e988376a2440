//! What a price was like lately: its mean and its mean absolute deviation, weighted by time.
//!
//! Integers only. A value counts for as long as it stood, and only once it has been replaced, so that the
//! newest is always compared with what came before it. Whatever stood `window` ago counts about a third
//! of what stands now.

use crate::Timestamp;
use crate::money::ONE;
use crate::state;

/// Mean and deviation of one price. Kept in millionths of a millionth: small steps are not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mean {
    mean: i64,
    deviation: i64,
    since: Timestamp,
    last: Option<(Timestamp, i64)>,
}

impl Mean {
    /// Starts with a value.
    #[must_use]
    pub fn new(now: Timestamp, value: i64) -> Self {
        Self {
            mean: value.saturating_mul(ONE),
            deviation: 0,
            since: now,
            last: Some((now, value)),
        }
    }

    /// Another value stands from now on; what stood until now is counted. Both steps are rounded down.
    pub fn add(&mut self, now: Timestamp, value: i64, window: u64) {
        if let Some((at, stood)) = self.last {
            let (for_ns, window) = (i128::from(now.saturating_sub(at)), i128::from(window));
            let whole = for_ns + window;
            if whole > 0 {
                let toward = |from: i64, to: i128| {
                    let step = ((to - i128::from(from)) * for_ns).div_euclid(whole);
                    // Between the two, so it fits whenever they do.
                    i64::try_from(i128::from(from) + step).unwrap_or(from)
                };
                let stood = i128::from(stood) * i128::from(ONE);
                let away = (stood - i128::from(self.mean)).abs();
                self.deviation = toward(self.deviation, away);
                self.mean = toward(self.mean, stood);
            }
        }
        self.last = Some((now, value));
    }

    /// Nothing is known from now until the next value: that time counts for nothing.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// The mean, in the unit of the values, rounded down.
    #[must_use]
    pub fn mean(&self) -> i64 {
        self.mean.div_euclid(ONE)
    }

    /// The mean absolute deviation, rounded down.
    #[must_use]
    pub fn deviation(&self) -> i64 {
        self.deviation.div_euclid(ONE)
    }

    /// For how long values have been counted.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> u64 {
        now.saturating_sub(self.since)
    }

    /// Its words in a snapshot, read by [`Self::read`].
    #[must_use]
    pub fn words(&self) -> String {
        let (at, value) = self.last.unwrap_or_default();
        format!(
            "{} {} {} {at} {value}",
            self.mean, self.deviation, self.since
        )
    }

    /// Reads the five words. What stood while nobody listened is not known.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        let [mean, deviation, since, at, value] = words else {
            return Err(state::unknown(words));
        };
        let last = (state::number(at)?, state::number(value)?);
        Ok(Self {
            mean: state::number(mean)?,
            deviation: state::number(deviation)?,
            since: state::number(since)?,
            last: (last != (0, 0)).then_some(last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_value_counts_for_as_long_as_it_stood() {
        let window = 10 * SECOND;
        let mut mean = Mean::new(0, 500_000);
        mean.add(10 * SECOND, 400_000, window);
        assert_eq!(
            (mean.mean(), mean.deviation()),
            (500_000, 0),
            "the newest has not stood"
        );
        mean.add(20 * SECOND, 500_000, window);
        assert_eq!((mean.mean(), mean.deviation()), (450_000, 50_000));
        let mut burst = Mean::new(0, 500_000);
        for value in [1, 999_999, 250_000] {
            burst.add(0, value, window);
        }
        assert_eq!(
            burst.mean(),
            500_000,
            "what stood for no time counts for nothing"
        );
    }

    #[test]
    fn a_pause_is_not_counted_and_the_words_are_the_whole() {
        let window = 10 * SECOND;
        let mut mean = Mean::new(0, 500_000);
        mean.add(SECOND, 100_000, window);
        mean.pause();
        assert_eq!(
            Mean::read(&mean.words().split(' ').collect::<Vec<_>>()),
            Ok(mean)
        );
        mean.add(60 * SECOND, 500_000, window);
        assert_eq!(mean.mean(), 500_000);
        mean.add(61 * SECOND, 400_000, window);
        assert_eq!(
            Mean::read(&mean.words().split(' ').collect::<Vec<_>>()),
            Ok(mean)
        );
        assert!(Mean::read(&["1", "2"]).is_err());
    }
}
