//! Gives markets, instruments and oracles their numbers.
//!
//! Owns the mapping from a venue's identifiers to ours. Numbers are given in order of first sight;
//! on restart the mapping is rebuilt from the journal, so a number never changes its meaning within
//! a run. It never decides what a market is: that is the venue watchers' and importers' business.

use pm_arb_core::event::Event;
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Venue};
use pm_arb_core::market::{MarketSpec, OracleSpec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most instruments of a run; one more is refused.
pub const MAX_INSTRUMENTS: usize = 1_000_000;

/// Why a market was not listed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// An identifier is empty.
    #[error("market {slug:?} on {venue}: an identifier is empty; the venue's answer is not usable")]
    EmptyId {
        /// Where.
        venue: Venue,
        /// Which.
        slug: String,
    },
    /// The run has too many instruments.
    #[error("the run already tracks {MAX_INSTRUMENTS} instruments; start a new run")]
    Full,
}

/// The numbers of a run.
#[derive(Debug, Default)]
pub struct Catalog {
    markets: HashMap<(Venue, String), MarketId>,
    instruments: HashMap<(Venue, String), InstrumentId>,
    oracles: HashMap<(String, String), OracleId>,
    next_market: u32,
    next_instrument: u32,
    next_oracle: u32,
}

impl Catalog {
    /// Numbers the market and its outcomes by their native ids (known ones keep theirs) and returns
    /// the specification with the numbers filled in. What `spec` carried as numbers is ignored.
    pub fn list_market(&mut self, mut spec: MarketSpec) -> Result<MarketSpec, CatalogError> {
        if spec.native_id.is_empty() || spec.outcomes.iter().any(|o| o.native_id.is_empty()) {
            return Err(CatalogError::EmptyId {
                venue: spec.venue,
                slug: spec.slug,
            });
        }
        if self.instruments.len() + spec.outcomes.len() > MAX_INSTRUMENTS {
            return Err(CatalogError::Full);
        }
        let next = &mut self.next_market;
        spec.id = *self
            .markets
            .entry((spec.venue, spec.native_id.clone()))
            .or_insert_with(|| MarketId(take(next)));
        for outcome in &mut spec.outcomes {
            let next = &mut self.next_instrument;
            outcome.instrument = *self
                .instruments
                .entry((spec.venue, outcome.native_id.clone()))
                .or_insert_with(|| InstrumentId(take(next)));
        }
        Ok(spec)
    }

    /// Numbers an oracle feed. The flag says whether it is new (and must be announced as an event).
    pub fn list_oracle(&mut self, source: &str, symbol: &str) -> (OracleId, bool) {
        let key = (source.to_owned(), symbol.to_owned());
        if let Some(id) = self.oracles.get(&key) {
            return (*id, false);
        }
        let id = OracleId(take(&mut self.next_oracle));
        self.oracles.insert(key, id);
        (id, true)
    }

    /// Our number of a venue's instrument.
    #[must_use]
    pub fn instrument(&self, venue: Venue, native_id: &str) -> Option<InstrumentId> {
        // One allocation a look-up would be on the hot path: decoders cache what they track.
        self.instruments
            .get(&(venue, native_id.to_owned()))
            .copied()
    }

    /// Our number of a venue's market.
    #[must_use]
    pub fn market(&self, venue: Venue, native_id: &str) -> Option<MarketId> {
        self.markets.get(&(venue, native_id.to_owned())).copied()
    }

    /// Learns from a journalled event.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::MarketListed(spec) => self.learn_market(spec),
            Event::OracleListed(spec) => self.learn_oracle(spec),
            _ => {}
        }
    }

    fn learn_market(&mut self, spec: &MarketSpec) {
        self.markets
            .insert((spec.venue, spec.native_id.clone()), spec.id);
        self.next_market = self.next_market.max(spec.id.0 + 1);
        for outcome in &spec.outcomes {
            self.instruments
                .insert((spec.venue, outcome.native_id.clone()), outcome.instrument);
            self.next_instrument = self.next_instrument.max(outcome.instrument.0 + 1);
        }
    }

    fn learn_oracle(&mut self, spec: &OracleSpec) {
        self.oracles
            .insert((spec.source.clone(), spec.symbol.clone()), spec.id);
        self.next_oracle = self.next_oracle.max(spec.id.0 + 1);
    }
}

fn take(next: &mut u32) -> u32 {
    let id = *next;
    *next += 1;
    id
}

/// A catalog shared by the watchers of a run.
#[derive(Debug, Clone, Default)]
pub struct SharedCatalog(Arc<Mutex<Catalog>>);

impl SharedCatalog {
    /// Wraps one that was rebuilt from a journal.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(Mutex::new(catalog)))
    }

    /// Exclusive access; hold it for one message, never across an await.
    pub fn lock(&self) -> MutexGuard<'_, Catalog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
