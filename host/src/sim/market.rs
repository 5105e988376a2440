//! One simulated market: a maker that lags the oracle, and takers.
//!
//! Owns: the book of one market from its listing to its resolution, and the moods that make its
//! quotes wrong now and then (lag, bias, skew, stalls). Its chance comes from its own stream, so
//! it plays out the same whichever other markets are alive.
//! Never: looks at another market, a socket or a clock.

use std::collections::VecDeque;

use super::book::{CENT, ONE, Outcome, Side, TENTH_CENT, TwinBook};
use super::path::{STEP_NS, STEPS_PER_SECOND, revert};
use super::rng::Rng;
use super::spec::{MarketKey, Payoff};
use super::world::{Stamped, WorldEvent};

/// Levels the maker keeps on each side, and how far behind the best it lets old ones stand.
const LEVELS: u16 = 20;
const LEVELS_KEPT: u16 = 30;
/// Makers come this long after a Polymarket listing (a placeholder book until then).
const MAKERS_COME_S: u64 = 10;
/// The winning side's asks thin out over the last seconds, and vanish when little doubt is left.
const THIN_OUT_S: f64 = 20.0;
const VANISH_S: f64 = 12.0;
/// Best prices beyond these switch a Polymarket market to the fine tick.
const FINE_TICK_ABOVE: u16 = 9_600;
const FINE_TICK_BELOW: u16 = 400;
/// Near the end a price error is worth the most, and makers watch the more closely: their lag is
/// at most this share of the time left (and a floor), and no mood lasts into the last seconds.
const LAG_SHARE_OF_LEFT: f64 = 0.03;
const LAG_FLOOR_S: f64 = 0.2;
const SOBER_S: f64 = 45.0;
/// A fair price that moved this far is requoted at once rather than now and then.
const URGENT_MOVE: f64 = 0.015;
/// A move this large wakes every maker within some hundreds of milliseconds.
const STARTLING_MOVE: f64 = 0.10;
/// What a skewed maker gives away, at even odds.
const SKEW: (f64, f64) = (0.02, 0.055);
/// Smallest resting or traded size: five shares.
const SIZE_MIN: i64 = 500;

/// How one kind of market's maker behaves.
struct Temper {
    /// The configured lag is multiplied by a factor in this range, redrawn now and then.
    lag: (f64, f64),
    /// Standard deviation of the slowly wandering opinion, at even odds.
    bias_sd: f64,
    /// Mean seconds between two skews, and between two stalls.
    skew_every_s: f64,
    stall_every_s: f64,
    /// Takers a second while the window runs.
    takers_per_s: f64,
}

const fn temper(key: MarketKey) -> Temper {
    match key {
        MarketKey::UpDown { .. } => Temper {
            lag: (0.75, 1.25),
            bias_sd: 0.004,
            skew_every_s: 300.0,
            stall_every_s: 400.0,
            takers_per_s: 0.8,
        },
        MarketKey::Kalshi { .. } => Temper {
            lag: (1.1, 1.7),
            bias_sd: 0.006,
            skew_every_s: 120.0,
            stall_every_s: 200.0,
            takers_per_s: 0.5,
        },
        MarketKey::Range { .. } => Temper {
            lag: (0.7, 2.5),
            bias_sd: 0.007,
            skew_every_s: 50.0,
            stall_every_s: 120.0,
            takers_per_s: 0.2,
        },
    }
}

/// What a market may know of the world in one step.
pub struct StepContext<'a> {
    /// End of the step; the step covers the [`STEP_NS`] before it.
    pub now_ns: u64,
    /// Settlement-source prices, the latest first, one a step.
    pub prices: &'a VecDeque<f64>,
    /// The volatility makers believe in.
    pub sigma: f64,
    /// The configured lag of makers.
    pub maker_lag_ms: u64,
}

/// One live market.
#[derive(Debug, Clone)]
pub struct MarketSim {
    key: MarketKey,
    rng: Rng,
    book: TwinBook,
    tick: u16,
    payoff: Option<Payoff>,
    winner: Option<Outcome>,
    makers_from_ns: u64,
    lag_steps: usize,
    half_spread: f64,
    bias: f64,
    skew: f64,
    skew_steps: u32,
    stall_steps: u32,
    quoted: f64,
    prints: u64,
}

impl MarketSim {
    /// A market at its listing. Polymarket shows a placeholder book first, Kalshi an empty one.
    pub fn listed(key: MarketKey, seed: u64, origin_s: u64) -> Self {
        let mut rng = key.rng(seed, 0x6d61_6b65);
        let mut book = TwinBook::default();
        let makers_from_s = if key.is_kalshi() {
            key.start_s()
        } else {
            let size = 500_000 + i64::from(rng.below(1_000_000));
            book.set(Side::Bid, CENT, size);
            book.set(Side::Ask, ONE - CENT, size);
            key.listed_s(origin_s)
                + MAKERS_COME_S.min(key.start_s().abs_diff(key.listed_s(origin_s)) + 2)
        };
        Self {
            key,
            book,
            tick: CENT,
            payoff: None,
            winner: None,
            makers_from_ns: makers_from_s * 1_000_000_000 + 1_000_000_000,
            lag_steps: 0,
            half_spread: 0.6,
            bias: 0.0,
            skew: 0.0,
            skew_steps: 0,
            stall_steps: 0,
            quoted: -1.0,
            prints: 0,
            rng,
        }
    }

    /// Its book as the makers have it at the end of the last step.
    pub fn book(&self) -> &TwinBook {
        &self.book
    }

    /// Its tick, in the book's price unit.
    pub fn tick(&self) -> u16 {
        self.tick
    }

    /// The window has started: the settlement source's value at that second is known.
    pub fn open(&mut self, start_e8: i64) {
        self.payoff = Some(Payoff::of(self.key, start_e8));
    }

    /// The window has ended: the value at that second decides. Kalshi empties the book at once.
    pub fn close(&mut self, end_e8: i64, now_ns: u64, out: &mut Vec<Stamped>) {
        self.winner = self.payoff.map(|payoff| payoff.winner(end_e8));
        if self.key.is_kalshi() {
            self.book.clear();
            out.push(Stamped {
                at_ns: now_ns,
                event: WorldEvent::Cleared(self.key),
            });
        }
    }

    /// Plays one step.
    pub fn step(&mut self, ctx: &StepContext<'_>, out: &mut Vec<Stamped>) {
        let mut now = Offset {
            begin_ns: ctx.now_ns - STEP_NS,
            ms: u64::from(self.rng.below(40)),
        };
        if ctx.now_ns < self.makers_from_ns {
            return;
        }
        if let Some(winner) = self.winner {
            if !self.key.is_kalshi() && ctx.now_ns >= (self.key.close_s() + 2) * 1_000_000_000 {
                self.quote_result(winner, &mut now, out);
            }
            return;
        }
        self.moods(ctx);
        let live = self.payoff.is_some();
        let left_s = self.seconds_left(ctx);
        let lag_most =
            ((left_s * LAG_SHARE_OF_LEFT + LAG_FLOOR_S) * STEPS_PER_SECOND as f64) as usize;
        let mut lag_steps = self.lag_steps.min(lag_most);
        let missed = libm::fabs(self.fair(ctx, 0) - self.quoted);
        if missed > STARTLING_MOVE && self.rng.chance(0.5) {
            (lag_steps, self.stall_steps) = (1, 0);
        }
        let believed = self.opinion(self.fair(ctx, lag_steps));
        let urgent = libm::fabs(believed - self.quoted) > URGENT_MOVE;
        let requote = self.rng.chance(if urgent { 0.9 } else { 0.4 });
        if self.stall_steps == 0 && requote {
            self.quoted = believed;
            self.requote(believed, left_s, &mut now, out);
            self.fine_tick(&mut now, out);
        }
        if self.rng.chance(if live { 0.25 } else { 0.04 }) {
            self.resize_one(&mut now, out);
        }
        if live {
            self.takers(self.fair(ctx, 0), &mut now, out);
        }
    }

    fn seconds_left(&self, ctx: &StepContext<'_>) -> f64 {
        let close_ns = self.key.close_s() * 1_000_000_000;
        close_ns.saturating_sub(ctx.now_ns) as f64 / 1e9
    }

    /// The fair price of Yes on the price of `steps` ago.
    fn fair(&self, ctx: &StepContext<'_>, steps: usize) -> f64 {
        let price = ctx.prices.get(steps).or(ctx.prices.back());
        match (self.payoff, price) {
            (Some(payoff), Some(price)) => {
                let deviation = ctx.sigma * libm::sqrt(self.seconds_left(ctx).max(0.2));
                payoff.probability(*price, deviation)
            }
            // The start is in the future: a coin.
            _ => 0.5,
        }
    }

    /// The maker's own view: bias and skew count most where the question is open.
    fn opinion(&self, fair: f64) -> f64 {
        let open = 4.0 * fair * (1.0 - fair);
        (fair + self.bias * open + self.skew * (0.25 + 0.75 * open)).clamp(0.003, 0.997)
    }

    fn moods(&mut self, ctx: &StepContext<'_>) {
        let temper = temper(self.key);
        let per_s = 1.0 / STEPS_PER_SECOND as f64;
        self.bias = revert(self.bias, temper.bias_sd, per_s / 20.0, &mut self.rng);
        if self.lag_steps == 0 || self.rng.chance(per_s / 10.0) {
            let lag_ms = ctx.maker_lag_ms as f64 * self.rng.between(temper.lag.0, temper.lag.1);
            self.lag_steps = (lag_ms * STEPS_PER_SECOND as f64 / 1e3) as usize;
            self.half_spread = [0.3, 0.6, 1.0][self.rng.below(3) as usize];
        }
        if self.payoff.is_some() && self.seconds_left(ctx) < SOBER_S {
            (self.skew, self.skew_steps, self.stall_steps) = (0.0, 0, 0);
            return;
        }
        if self.skew_steps > 0 {
            self.skew_steps -= 1;
        } else {
            self.skew = 0.0;
            if self.payoff.is_some() && self.rng.chance(per_s / temper.skew_every_s) {
                let size = self.rng.between(SKEW.0, SKEW.1);
                self.skew = if self.rng.chance(0.5) { size } else { -size };
                self.skew_steps = 20 + self.rng.below(60);
            }
        }
        if self.stall_steps > 0 {
            self.stall_steps -= 1;
        } else if self.rng.chance(per_s / temper.stall_every_s) {
            self.stall_steps = 20 + self.rng.below(60);
        }
    }

    /// Moves the ladder to a new opinion: cancels first, then new levels, so it never crosses.
    fn requote(&mut self, opinion: f64, left_s: f64, now: &mut Offset, out: &mut Vec<Stamped>) {
        let tick = i32::from(self.tick);
        let ticks = i32::from(ONE) / tick;
        let center = opinion * f64::from(ticks);
        let bid = libm::floor(center - self.half_spread) as i32;
        let ask = (libm::ceil(center + self.half_spread) as i32).max(bid + 1);
        let (bid_levels, ask_levels) = thinned(opinion, left_s);
        self.ladder(Side::Bid, bid, ticks, bid_levels, now, out);
        self.ladder(Side::Ask, ask, ticks, ask_levels, now, out);
        for level in 0..i32::from(LEVELS) {
            for (side, best, wanted) in [(Side::Bid, bid, bid_levels), (Side::Ask, ask, ask_levels)]
            {
                let at = if side == Side::Bid {
                    best - level
                } else {
                    best + level
                };
                if level < i32::from(wanted) && at >= 1 && at < ticks {
                    let price = (at * tick) as u16;
                    if self.book.size_at(side, price) == 0 {
                        let size = self.size(level);
                        self.set(side, price, size, now, out);
                    }
                }
            }
        }
    }

    /// Cancels what stands ahead of the new best, too far behind it, or beyond the wanted depth.
    fn ladder(
        &mut self,
        side: Side,
        best: i32,
        ticks: i32,
        wanted: u16,
        now: &mut Offset,
        out: &mut Vec<Stamped>,
    ) {
        let tick = i32::from(self.tick);
        let kept = if wanted < LEVELS { wanted } else { LEVELS_KEPT };
        let cancelled: Vec<u16> = self
            .book
            .side(side)
            .keys()
            .copied()
            .filter(|price| {
                let at = i32::from(*price);
                let behind = if side == Side::Bid {
                    best * tick - at
                } else {
                    at - best * tick
                };
                // The deepest level of all is somebody's lottery ticket and stays.
                let lottery = wanted == LEVELS && (*price == CENT || *price == ONE - CENT);
                behind < 0
                    || (behind >= i32::from(kept) * tick && !lottery)
                    || !(1..ticks).contains(&best)
            })
            .collect();
        for price in cancelled {
            self.set(side, price, 0, now, out);
        }
    }

    fn set(&mut self, side: Side, price: u16, size: i64, now: &mut Offset, out: &mut Vec<Stamped>) {
        self.book.set(side, price, size);
        let event = WorldEvent::Level {
            key: self.key,
            side,
            price,
            size,
        };
        out.push(Stamped {
            at_ns: now.tick(),
            event,
        });
    }

    /// Size of a level: thin at the top, deeper behind, whole shares half of the time.
    fn size(&mut self, level: i32) -> i64 {
        let shares = 70.0 * (1.0 + 0.3 * f64::from(level)) * libm::exp(0.6 * self.rng.normal());
        let size = (shares * 100.0) as i64;
        let size = if self.rng.chance(0.5) {
            size / 100 * 100
        } else {
            size
        };
        size.max(SIZE_MIN)
    }

    fn resize_one(&mut self, now: &mut Offset, out: &mut Vec<Stamped>) {
        let side = if self.rng.chance(0.5) {
            Side::Bid
        } else {
            Side::Ask
        };
        let depth = self.rng.below(u32::from(LEVELS));
        let levels = self.book.side(side);
        let price = match side {
            Side::Bid => levels.keys().rev().nth(depth as usize),
            Side::Ask => levels.keys().nth(depth as usize),
        };
        if let Some(price) = price.copied() {
            let size = self.size(depth as i32);
            self.set(side, price, size, now, out);
        }
    }

    /// Noise takers, and now and then one who knows the price of this instant.
    fn takers(&mut self, fair: f64, now: &mut Offset, out: &mut Vec<Stamped>) {
        let noise = self
            .rng
            .chance(temper(self.key).takers_per_s / STEPS_PER_SECOND as f64);
        let informed = self.rng.chance(0.03);
        let lean = 0.5 + (fair - self.quoted) * 5.0;
        let buys = self.rng.chance(lean.clamp(0.15, 0.85));
        let size = (15.0 * libm::exp(0.9 * self.rng.normal()) * 100.0) as i64;
        let share = self.rng.between(0.3, 1.0);
        if noise {
            let resting = if buys { Side::Ask } else { Side::Bid };
            self.fill(resting, size.max(100), now, out);
        }
        if informed {
            let edge = |level: Option<(u16, i64)>, sign: f64| {
                level.filter(|(price, _)| (fair - f64::from(*price) / f64::from(ONE)) * sign > 0.02)
            };
            let asks = edge(self.book.best(Side::Ask), 1.0).map(|(_, size)| (Side::Ask, size));
            let bids = edge(self.book.best(Side::Bid), -1.0).map(|(_, size)| (Side::Bid, size));
            if let Some((resting, standing)) = asks.or(bids) {
                self.fill(resting, (standing as f64 * share) as i64, now, out);
            }
        }
    }

    fn fill(&mut self, resting: Side, wanted: i64, now: &mut Offset, out: &mut Vec<Stamped>) {
        let Some((price, standing)) = self.book.best(resting) else {
            return;
        };
        let size = wanted.min(standing);
        if size <= 0 {
            return;
        }
        let left = standing - size;
        self.book.set(resting, price, left);
        self.prints += 1;
        let (key, id) = (self.key, self.prints);
        out.push(Stamped {
            at_ns: now.tick(),
            event: WorldEvent::Fill {
                key,
                resting,
                price,
                size,
                left,
                id,
            },
        });
        // The venue prints the trade a little after the book has moved.
        now.ms += u64::from(self.rng.below(18));
        out.push(Stamped {
            at_ns: now.tick(),
            event: WorldEvent::Print {
                key,
                resting,
                price,
                size,
                id,
            },
        });
    }

    fn fine_tick(&mut self, now: &mut Offset, out: &mut Vec<Stamped>) {
        let bid = self.book.best(Side::Bid).map_or(0, |(price, _)| price);
        let ask = self.book.best(Side::Ask).map_or(ONE, |(price, _)| price);
        let extreme = bid > FINE_TICK_ABOVE || ask < FINE_TICK_BELOW;
        if extreme && self.tick == CENT && !self.key.is_kalshi() {
            self.tick = TENTH_CENT;
            let event = WorldEvent::TickSize {
                key: self.key,
                old: CENT,
                new: TENTH_CENT,
            };
            out.push(Stamped {
                at_ns: now.tick(),
                event,
            });
        }
    }

    /// After the end everybody knows: bids for the winner a tick under one dollar, no offers.
    fn quote_result(&mut self, winner: Outcome, now: &mut Offset, out: &mut Vec<Stamped>) {
        let (wanted, price, gone) = match winner {
            Outcome::Yes => (Side::Bid, ONE - self.tick, Side::Ask),
            Outcome::No => (Side::Ask, self.tick, Side::Bid),
        };
        let stale: Vec<u16> = self.book.side(gone).keys().copied().collect();
        for price in stale {
            self.set(gone, price, 0, now, out);
        }
        if self.book.size_at(wanted, price) == 0 {
            let size = 40 * self.size(10);
            self.set(wanted, price, size, now, out);
        }
    }
}

/// Levels wanted on each side: the winning side's asks go first as the end comes near.
fn thinned(opinion: f64, left_s: f64) -> (u16, u16) {
    let short = |certain: f64| {
        if left_s > THIN_OUT_S || certain < 0.9 {
            LEVELS
        } else if certain > 0.97 && left_s < VANISH_S {
            0
        } else {
            1 + (left_s / THIN_OUT_S * 6.0) as u16
        }
    };
    (short(1.0 - opinion), short(opinion))
}

/// Times inside one step: each event a millisecond after the one before, never past the end.
struct Offset {
    begin_ns: u64,
    ms: u64,
}

impl Offset {
    fn tick(&mut self) -> u64 {
        self.ms = (self.ms + 1).min(STEP_NS / 1_000_000);
        self.begin_ns + self.ms * 1_000_000
    }
}
