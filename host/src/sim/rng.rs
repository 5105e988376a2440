//! The simulated world's only source of chance: SplitMix64 streams named by what they are for.
//!
//! Owns: seeding and the few distributions the world draws from. A stream depends on the seed and
//! its name alone, so that one market's draws never shift another's, on any machine.
//! Never: reads a clock, the operating system's entropy, or the platform's own math library.

/// One independent stream of chance.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

/// SplitMix64's finaliser: a bijective mix of 64 bits.
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of `seed` that is named by `name` (a tag, then whatever tells two uses apart).
    pub fn named(seed: u64, name: &[u64]) -> Self {
        let state = name
            .iter()
            .fold(mix(seed), |acc, part| mix(acc ^ mix(*part)));
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let out = mix(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        out
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform integer in 0..bound (0 when bound is 0). The bias of the multiply-shift is below 2^-32 here.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Box-Muller, one value a call so that the stream has no hidden half).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// Laplace with the given scale: the fat-tailed size of a jump.
    pub fn laplace(&mut self, scale: f64) -> f64 {
        let u = self.unit() - 0.5;
        let size = -scale * libm::log(1.0 - 2.0 * libm::fabs(u));
        if u < 0.0 { -size } else { size }
    }

    /// Poisson count for a small mean, at most `limit`.
    pub fn poisson(&mut self, mean: f64, limit: u32) -> u32 {
        let floor = libm::exp(-mean);
        let mut product = self.unit();
        let mut count = 0;
        while product > floor && count < limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}
