//! The digest of a run: SHA-256 over its effects, in order.
//!
//! Two replays of the same records are the same run exactly when their digests agree. `WakeAt` is
//! left out: it asks for time, and the answer is a record.

use pm_arb_core::effect::Effect;
use pm_arb_core::ids::Seq;
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
        for effect in effects.iter().filter(|e| !matches!(e, Effect::WakeAt(_))) {
            self.buffer.clear();
            self.buffer = postcard::to_extend(&(cause, effect), std::mem::take(&mut self.buffer))?;
            self.hash.update((self.buffer.len() as u64).to_le_bytes());
            self.hash.update(&self.buffer);
        }
        Ok(())
    }

    /// In hexadecimal, of everything so far.
    #[must_use]
    pub fn hex(&self) -> String {
        self.hash
            .clone()
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
