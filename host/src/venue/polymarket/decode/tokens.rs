//! Which token is which instrument, and the grid the engine was last told of it.
//!
//! Owns a bounded memory in front of the catalog, because every level of every frame asks it. What
//! it forgets, the catalog still knows. It decides nothing about a grid.

use crate::catalog::Catalog;
use pm_arb_core::ids::{InstrumentId, Venue};
use pm_arb_core::units::Price;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Most tokens whose instrument is remembered; then the memory starts anew (the catalog knows all).
const TOKENS_MAX: usize = 16_384;

/// The tokens seen so far.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<Box<[u8]>, Tracked, BuildHasherDefault<TailHasher>>);

#[derive(Debug, Clone, Copy)]
struct Tracked {
    instrument: InstrumentId,
    /// The grid the engine was last told, if any.
    tick: Option<Price>,
}

impl Tokens {
    /// The instrument of a token; the catalog is asked once.
    pub(super) fn instrument(&mut self, token: &str, ids: &Catalog) -> Option<InstrumentId> {
        if let Some(tracked) = self.0.get(token.as_bytes()) {
            return Some(tracked.instrument);
        }
        let instrument = ids.instrument(Venue::Polymarket, token)?;
        let tick = None;
        self.remember(token, Tracked { instrument, tick });
        Some(instrument)
    }

    /// Notes the grid of a token. Whether the engine was told another one, or none, before.
    pub(super) fn note_tick(&mut self, token: &str, instrument: InstrumentId, tick: Price) -> bool {
        let tick = Some(tick);
        self.remember(token, Tracked { instrument, tick })
            .is_none_or(|before| before.tick != tick)
    }

    /// Forgets one token.
    pub(super) fn forget(&mut self, token: &str) {
        self.0.remove(token.as_bytes());
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn remember(&mut self, token: &str, tracked: Tracked) -> Option<Tracked> {
        if let Some(known) = self.0.get_mut(token.as_bytes()) {
            return Some(std::mem::replace(known, tracked));
        }
        if self.0.len() >= TOKENS_MAX {
            self.0.clear();
        }
        self.0.insert(token.as_bytes().into(), tracked)
    }
}

/// Token ids are uniformly random decimals: their last eight digits tell them apart.
#[derive(Debug, Default)]
struct TailHasher(u64);

impl Hasher for TailHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        // The table uses the top bits as tags and the low ones as position: mix both.
        self.0 ^ (self.0 >> 32)
    }
}
