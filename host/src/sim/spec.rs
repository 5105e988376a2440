//! What a simulated market is: which question, which window, under which names.
//!
//! Owns: the keys, the names and ids derived from them, and the settlement rule. All of it is a
//! pure function of seed and key, so that a market of yesterday has the same ids after a restart.
//! Never: knows how a market trades.

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::book::Outcome;
use super::rng::Rng;

/// Length of an up/down window.
pub const WINDOW_S: u64 = 300;
/// Length of a range event's window.
pub const RANGE_WINDOW_S: u64 = 900;
/// Exclusive buckets of a range event.
pub const RANGE_BUCKETS: u8 = 3;
/// An up/down market is listed this long before its window: the current and the next two are up.
pub const LISTED_AHEAD_S: u64 = 2 * WINDOW_S;
/// Half width of the middle bucket, as a share of the price (in 1/100,000): about half of the
/// quarter-hour's standard deviation, so that no bucket is a sure thing at the start.
const RANGE_HALF_WIDTH_E5: i64 = 130;
/// Bucket bounds are round to ten dollars (in 1e-8 USD).
const RANGE_ROUND_E8: i64 = 10 * 100_000_000;

/// A simulated market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarketKey {
    /// Polymarket: is BTC at the end of the window at or above its start?
    UpDown {
        /// Start of the window, unix seconds.
        start_s: u64,
    },
    /// Polymarket, negative risk: does BTC end the quarter hour in this bucket?
    Range {
        /// Start of the window, unix seconds.
        start_s: u64,
        /// Which bucket, from the lowest.
        bucket: u8,
    },
    /// Kalshi: the up/down question of the same window.
    Kalshi {
        /// Start of the window, unix seconds.
        start_s: u64,
    },
}

impl MarketKey {
    /// Start of the window, unix seconds.
    pub const fn start_s(self) -> u64 {
        match self {
            Self::UpDown { start_s } | Self::Range { start_s, .. } | Self::Kalshi { start_s } => {
                start_s
            }
        }
    }

    /// End of the window, unix seconds.
    pub const fn close_s(self) -> u64 {
        match self {
            Self::UpDown { start_s } | Self::Kalshi { start_s } => start_s + WINDOW_S,
            Self::Range { start_s, .. } => start_s + RANGE_WINDOW_S,
        }
    }

    /// When it is listed, in a world that began at `origin_s`.
    pub const fn listed_s(self, origin_s: u64) -> u64 {
        let listed = match self {
            Self::UpDown { start_s } | Self::Kalshi { start_s } => {
                start_s.saturating_sub(LISTED_AHEAD_S)
            }
            Self::Range { start_s, .. } => start_s,
        };
        if listed < origin_s { origin_s } else { listed }
    }

    /// Whether it trades on the venue that speaks Kalshi's protocol.
    pub const fn is_kalshi(self) -> bool {
        matches!(self, Self::Kalshi { .. })
    }

    /// Every market listed at this instant (a multiple of the window), in order.
    pub fn listed_at(now_s: u64, origin_s: u64) -> Vec<MarketKey> {
        let mut keys = Vec::new();
        for start_s in (now_s..=now_s + LISTED_AHEAD_S).step_by(WINDOW_S as usize) {
            for key in [Self::UpDown { start_s }, Self::Kalshi { start_s }] {
                if key.listed_s(origin_s) == now_s {
                    keys.push(key);
                }
            }
        }
        if now_s.is_multiple_of(RANGE_WINDOW_S) {
            keys.extend((0..RANGE_BUCKETS).map(|bucket| Self::Range {
                start_s: now_s,
                bucket,
            }));
        }
        keys
    }

    /// This market's stream of chance.
    pub fn rng(self, seed: u64, purpose: u64) -> Rng {
        let (kind, bucket) = match self {
            Self::UpDown { .. } => (1, 0),
            Self::Range { bucket, .. } => (2, u64::from(bucket)),
            Self::Kalshi { .. } => (3, 0),
        };
        Rng::named(seed, &[purpose, kind, self.start_s(), bucket])
    }

    /// When the venue announces the outcome: some 15 s after the end on Polymarket, a few on Kalshi.
    /// The members of one event are announced together.
    pub fn resolves_ns(self, seed: u64) -> u64 {
        let event = match self {
            Self::Range { start_s, .. } => Self::Range { start_s, bucket: 0 },
            single => single,
        };
        let wait_ms = if self.is_kalshi() { 2_000 } else { 15_000 };
        let extra_ms = event.rng(seed, 0x7265_736f).below(4_000);
        self.close_s() * 1_000_000_000 + (wait_ms + u64::from(extra_ms)) * 1_000_000
    }

    /// The slug (Polymarket) or ticker (Kalshi).
    pub fn name(self) -> String {
        match self {
            Self::UpDown { start_s } => format!("btc-updown-5m-{start_s}"),
            Self::Range { start_s, bucket } => {
                let place = ["below", "inside", "above"]
                    .get(usize::from(bucket))
                    .copied()
                    .unwrap_or("other");
                format!("btc-range-15m-{start_s}-{place}")
            }
            Self::Kalshi { .. } => {
                let (event, minute) = (self.event_name(), eastern(self.close_s(), "%M"));
                format!("{event}-{minute}")
            }
        }
    }

    /// The slug or ticker of the event the market belongs to.
    pub fn event_name(self) -> String {
        match self {
            Self::UpDown { .. } => self.name(),
            Self::Range { start_s, .. } => format!("btc-range-15m-{start_s}"),
            Self::Kalshi { .. } => {
                format!(
                    "{KALSHI_SERIES}-{}",
                    eastern(self.close_s(), "%y%b%d%H%M").to_uppercase()
                )
            }
        }
    }

    /// The markets of a Polymarket event slug, in order; nothing when it is not one of this world's.
    pub fn of_event_slug(slug: &str) -> Vec<MarketKey> {
        let aligned = |text: &str, window: u64| {
            text.parse::<u64>()
                .ok()
                .filter(|s| s.is_multiple_of(window))
        };
        if let Some(start_s) = slug
            .strip_prefix("btc-updown-5m-")
            .and_then(|s| aligned(s, WINDOW_S))
        {
            vec![Self::UpDown { start_s }]
        } else if let Some(start_s) = slug
            .strip_prefix("btc-range-15m-")
            .and_then(|s| aligned(s, RANGE_WINDOW_S))
        {
            (0..RANGE_BUCKETS)
                .map(|bucket| Self::Range { start_s, bucket })
                .collect()
        } else {
            Vec::new()
        }
    }

    /// The market of a Polymarket market slug.
    pub fn of_market_slug(slug: &str) -> Option<MarketKey> {
        let event = slug
            .trim_end_matches(|c: char| c.is_ascii_lowercase())
            .trim_end_matches('-');
        let event = if slug.starts_with("btc-range-15m-") {
            event
        } else {
            slug
        };
        Self::of_event_slug(event)
            .into_iter()
            .find(|key| key.name() == slug)
    }

    /// The market of a Kalshi event ticker.
    pub fn of_kalshi_event(ticker: &str) -> Option<MarketKey> {
        let stamp = ticker.strip_prefix(KALSHI_SERIES)?.strip_prefix('-')?;
        let civil = jiff::civil::DateTime::strptime("%y%b%d%H%M", stamp).ok()?;
        let close = civil.to_zoned(eastern_zone()).ok()?.timestamp().as_second();
        let start_s = u64::try_from(close).ok()?.checked_sub(WINDOW_S)?;
        let key = Self::Kalshi { start_s };
        (start_s.is_multiple_of(WINDOW_S) && key.event_name() == ticker).then_some(key)
    }

    /// Polymarket's condition id, or any other 32-byte id this market needs: 0x and 64 hex digits.
    pub fn hex_id(self, seed: u64, purpose: &str) -> String {
        let digest = self.digest(seed, purpose);
        digest.iter().fold(String::from("0x"), |text, byte| {
            text + &format!("{byte:02x}")
        })
    }

    /// Polymarket's token id of an outcome: up to 78 decimal digits.
    pub fn token_id(self, seed: u64, outcome: Outcome) -> String {
        let purpose = match outcome {
            Outcome::Yes => "token-yes",
            Outcome::No => "token-no",
        };
        decimal(self.digest(seed, purpose))
    }

    /// A UUID-shaped id, as Kalshi's market ids and trade ids are.
    pub fn uuid(self, seed: u64, purpose: &str) -> String {
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&self.digest(seed, purpose)[..16]);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    fn digest(self, seed: u64, purpose: &str) -> [u8; 32] {
        let kind = if self.is_kalshi() {
            "kalshi"
        } else {
            "polymarket"
        };
        Sha256::digest(format!(
            "pm-arb sim|{seed}|{kind}|{}|{purpose}",
            self.name()
        ))
        .into()
    }
}

/// Kalshi's name for the series of five-minute markets.
pub const KALSHI_SERIES: &str = "KXBTC5M";

fn eastern_zone() -> TimeZone {
    // The rule itself, so that no time zone database is needed. UTC would only misname a market.
    TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap_or(TimeZone::UTC)
}

/// An instant on a US Eastern clock.
pub fn eastern(unix_s: u64, format: &str) -> String {
    jiff::Timestamp::from_second(unix_s as i64)
        .map(|t| t.to_zoned(eastern_zone()).strftime(format).to_string())
        .unwrap_or_default()
}

/// 256 bits as a decimal string.
fn decimal(bytes: [u8; 32]) -> String {
    // Long division by 10^9 over 32-bit limbs, most significant first.
    let mut limbs: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|c| c.iter().fold(0, |acc, b| acc << 8 | u32::from(*b)))
        .collect();
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0_u64;
        for limb in &mut limbs {
            let value = rest << 32 | u64::from(*limb);
            *limb = (value / 1_000_000_000) as u32;
            rest = value % 1_000_000_000;
        }
        groups.push(rest);
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    while let Some(group) = groups.pop() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

/// When a market pays: from the settlement source's values (1e-8 USD) at start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payoff {
    /// Yes at or above this value.
    AtLeast(i64),
    /// Yes strictly below.
    Below(i64),
    /// Yes from the first (inclusive) to the second (exclusive).
    Between(i64, i64),
}

impl Payoff {
    /// The payoff of a market whose window started at `start_e8`.
    pub fn of(key: MarketKey, start_e8: i64) -> Self {
        let half = start_e8 / 100_000 * RANGE_HALF_WIDTH_E5;
        let low = (start_e8 - half) / RANGE_ROUND_E8 * RANGE_ROUND_E8;
        let high = (start_e8 + half) / RANGE_ROUND_E8 * RANGE_ROUND_E8;
        match key {
            MarketKey::UpDown { .. } | MarketKey::Kalshi { .. } => Self::AtLeast(start_e8),
            MarketKey::Range { bucket: 0, .. } => Self::Below(low),
            MarketKey::Range { bucket: 1, .. } => Self::Between(low, high),
            MarketKey::Range { .. } => Self::AtLeast(high),
        }
    }

    /// The winner when the window ends at this value.
    pub fn winner(self, end_e8: i64) -> Outcome {
        let yes = match self {
            Self::AtLeast(bound) => end_e8 >= bound,
            Self::Below(bound) => end_e8 < bound,
            Self::Between(low, high) => (low..high).contains(&end_e8),
        };
        if yes { Outcome::Yes } else { Outcome::No }
    }

    /// Probability of Yes for a driftless walk at `price` whose log ends with this deviation.
    pub fn probability(self, price: f64, deviation: f64) -> f64 {
        let above = |bound: i64| {
            let distance = libm::log(price / (bound as f64 / 1e8)) / deviation;
            0.5 * libm::erfc(-distance / core::f64::consts::SQRT_2)
        };
        match self {
            Self::AtLeast(bound) => above(bound),
            Self::Below(bound) => 1.0 - above(bound),
            Self::Between(low, high) => above(low) - above(high),
        }
    }
}
