//! The digest of a run: SHA-256 over its effects, in order, and over the markets they left behind.
//!
//! Two replays of the same records are the same run exactly when their digests agree. `WakeAt` is
//! left out: it asks for time, and the answer is a record. So is `RecordEquity`: it repeats what other
//! effects came to, for a chart. The books at the end are taken in so that
//! a run in which nobody traded is known by what it saw.

use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::ids::Seq;
use pm_arb_core::units::{Price, Qty};
use sha2::{Digest as _, Sha256};

/// Running digest.
#[derive(Debug, Clone, Default)]
pub struct EffectDigest {
    hash: Sha256,
    buffer: Vec<u8>,
}

impl EffectDigest {
    /// Takes up the effects of one record.
    pub fn update(&mut self, cause: Seq, effects: &[Effect]) -> Result<(), postcard::Error> {
        for effect in effects
            .iter()
            .filter(|e| !matches!(e, Effect::WakeAt(_) | Effect::RecordEquity(_)))
        {
            self.buffer.clear();
            self.buffer = postcard::to_extend(&(cause, effect), std::mem::take(&mut self.buffer))?;
            self.hash.update((self.buffer.len() as u64).to_le_bytes());
            self.hash.update(&self.buffer);
        }
        Ok(())
    }

    /// In hexadecimal, of everything so far and of the books and oracles of `engine`.
    #[must_use]
    pub fn hex(&self, engine: &Engine) -> String {
        let mut hash = self.hash.clone();
        let data = engine.market_data();
        for market in data.markets() {
            hash.update(market.spec.id.0.to_le_bytes());
            for outcome in &market.spec.outcomes {
                hash.update(outcome.instrument.0.to_le_bytes());
                if let Some(book) = data.book(outcome.instrument) {
                    hash.update(book.epoch().to_le_bytes());
                    take_levels(&mut hash, 0, book.bids());
                    take_levels(&mut hash, 1, book.asks());
                }
            }
        }
        for tick in data.oracles().filter_map(|oracle| oracle.last()) {
            hash.update(tick.oracle.0.to_le_bytes());
            hash.update(tick.price.0.to_le_bytes());
            hash.update(tick.source_time.0.to_le_bytes());
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn take_levels(hash: &mut Sha256, side: u8, levels: impl Iterator<Item = (Price, Qty)>) {
    for (price, qty) in levels {
        hash.update([side]);
        hash.update(price.0.to_le_bytes());
        hash.update(qty.0.to_le_bytes());
    }
}
