//! The price everything in the simulated world follows: BTC/USD every 100 ms of world time.
//!
//! Owns: the random walk (45 % a year in all, volatility that clusters on two time scales, jumps
//! with fat tails) and the wandering basis of BTCUSDT around it. Floats are fine here: the walk
//! uses the `libm` crate only, so it is the same bits on every machine.
//! Never: knows of a market, a book or a socket.

use super::rng::Rng;

/// World time between two steps of the walk.
pub const STEP_NS: u64 = 100_000_000;
/// Steps in a second.
pub const STEPS_PER_SECOND: u64 = 1_000_000_000 / STEP_NS;

/// The walk as a whole has 8.01e-5 per square root of a second, 45 % a year. This is the diffusive
/// part of it; the jumps below carry the rest of the variance.
const DIFFUSION_PER_SQRT_SECOND: f64 = 6.93e-5;
/// Spread (standard deviation of the log) of the slow and the fast volatility factor.
const VOL_SLOW_SD: f64 = 0.35;
const VOL_FAST_SD: f64 = 0.35;
const VOL_SLOW_SECONDS: f64 = 1_700.0;
const VOL_FAST_SECONDS: f64 = 60.0;
/// A jump every 200 s on average, four basis points in scale, at most 25.
const JUMPS_PER_SECOND: f64 = 1.0 / 200.0;
const JUMP_SCALE: f64 = 4e-4;
const JUMP_LARGEST: f64 = 25e-4;
/// Jumps are worked into the market over at most this many steps.
const JUMP_STEPS: u32 = 8;
/// BTCUSDT against BTC/USD: a few dollars, wandering over minutes.
const BASIS_USD: f64 = 4.0;
const BASIS_SECONDS: f64 = 400.0;

/// The walk, at one instant.
#[derive(Debug, Clone)]
pub struct PricePath {
    rng: Rng,
    log_price: f64,
    vol_slow: f64,
    vol_fast: f64,
    jump_steps: u32,
    jump_each: f64,
    basis_usd: f64,
}

impl PricePath {
    /// The walk of this seed, at its beginning.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::named(seed, &[0x7061_7468]);
        let start = rng.between(60_000.0, 120_000.0);
        Self {
            log_price: libm::log(start),
            vol_slow: VOL_SLOW_SD * rng.normal(),
            vol_fast: VOL_FAST_SD * rng.normal(),
            jump_steps: 0,
            jump_each: 0.0,
            basis_usd: BASIS_USD * rng.normal(),
            rng,
        }
    }

    /// Moves on by one step.
    pub fn step(&mut self) {
        let dt = 1.0 / STEPS_PER_SECOND as f64;
        self.vol_slow = revert(
            self.vol_slow,
            VOL_SLOW_SD,
            dt / VOL_SLOW_SECONDS,
            &mut self.rng,
        );
        self.vol_fast = revert(
            self.vol_fast,
            VOL_FAST_SD,
            dt / VOL_FAST_SECONDS,
            &mut self.rng,
        );
        self.basis_usd = revert(self.basis_usd, BASIS_USD, dt / BASIS_SECONDS, &mut self.rng);

        // E[factor²] = 1, so that clustering moves the variance about without adding any.
        let spread = VOL_SLOW_SD * VOL_SLOW_SD + VOL_FAST_SD * VOL_FAST_SD;
        let factor = libm::exp(self.vol_slow + self.vol_fast - spread);
        let diffusion = DIFFUSION_PER_SQRT_SECOND * libm::sqrt(dt) * factor * self.rng.normal();

        if self.jump_steps == 0 && self.rng.chance(JUMPS_PER_SECOND * dt) {
            let size = self
                .rng
                .laplace(JUMP_SCALE)
                .clamp(-JUMP_LARGEST, JUMP_LARGEST);
            self.jump_steps = 1 + self.rng.below(JUMP_STEPS);
            self.jump_each = size / f64::from(self.jump_steps);
        }
        let jump = if self.jump_steps > 0 {
            self.jump_steps -= 1;
            self.jump_each
        } else {
            0.0
        };
        self.log_price += diffusion + jump;
    }

    /// BTC/USD, the settlement source's view.
    pub fn price(&self) -> f64 {
        libm::exp(self.log_price)
    }

    /// BTCUSDT, Binance's view.
    pub fn quote(&self) -> f64 {
        self.price() + self.basis_usd
    }

    /// What a careful maker believes volatility to be now, per square root of a second: the slow
    /// factor as it is, the fast one and the jumps at their long-run share.
    pub fn believed_sigma(&self) -> f64 {
        let slow = libm::exp(2.0 * (self.vol_slow - VOL_SLOW_SD * VOL_SLOW_SD));
        let jumps = 2.0 * JUMP_SCALE * JUMP_SCALE * JUMPS_PER_SECOND;
        libm::sqrt(DIFFUSION_PER_SQRT_SECOND * DIFFUSION_PER_SQRT_SECOND * slow + jumps)
    }
}

/// One step of a mean-reverting walk with the given long-run standard deviation.
pub fn revert(value: f64, sd: f64, rate: f64, rng: &mut Rng) -> f64 {
    value * (1.0 - rate) + sd * libm::sqrt(2.0 * rate) * rng.normal()
}
