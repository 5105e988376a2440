//! What one transaction does, made of what the engine's effects ask for: every row at most once, and of
//! every row's states the newest. It talks to no database.

use super::StoreError;
use super::alerts::StoredAlert;
use super::equity::StoredEquity;
use super::grading::{
    CountKind, StoredCount, StoredDenials, StoredGrade, StoredIntent, StoredMarket,
};
use super::row::{Change, StoreOp, StoredTrade, trade_uuid};
use pm_arb_core::effect::Tape;
use pm_arb_core::ids::{IntentId, MarketId, Seq, Timestamp};
use pm_arb_core::reason::Reason;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use uuid::Uuid;

/// One transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub run_id: Uuid,
    pub through: Seq,
    pub inserts: Vec<StoredTrade>,
    pub changes: Vec<Change>,
    pub intents: Vec<StoredIntent>,
    pub grades: Vec<StoredGrade>,
    pub markets: Vec<StoredMarket>,
    pub denials: Vec<StoredDenials>,
    pub counts: Vec<StoredCount>,
    pub equity: Vec<StoredEquity>,
    pub alerts: Vec<StoredAlert>,
    /// What the tape says of rows, these ones or earlier ones.
    pub tapes: Vec<(Uuid, Tape)>,
}

/// The same while it is put together.
#[derive(Default)]
struct Draft {
    inserts: BTreeMap<(Seq, u16), StoredTrade>,
    changes: BTreeMap<(Seq, u16), Change>,
    intents: BTreeMap<IntentId, (StoredIntent, Vec<StoredGrade>)>,
    markets: BTreeMap<MarketId, StoredMarket>,
    denials: BTreeMap<(String, Reason, Timestamp), StoredDenials>,
    counts: BTreeMap<(CountKind, String), StoredCount>,
    equity: BTreeMap<Timestamp, StoredEquity>,
    alerts: BTreeMap<(Seq, Uuid), StoredAlert>,
    tapes: BTreeMap<Uuid, Tape>,
}

impl Batch {
    /// Of several states of a row the newest wins; of several equal inserts one remains; unequal ones
    /// are a contradiction.
    pub fn of(run_id: Uuid, through: Seq, ops: &[StoreOp]) -> Result<Self, StoreError> {
        let mut draft = Draft::default();
        for op in ops {
            draft.take(run_id, op)?;
        }
        let (intents, grades): (Vec<_>, Vec<_>) = draft.intents.into_values().unzip();
        Ok(Self {
            run_id,
            through,
            inserts: draft.inserts.into_values().collect(),
            changes: draft.changes.into_values().collect(),
            intents,
            grades: grades.into_iter().flatten().collect(),
            markets: draft.markets.into_values().collect(),
            denials: draft.denials.into_values().collect(),
            counts: draft.counts.into_values().collect(),
            equity: draft.equity.into_values().collect(),
            alerts: draft.alerts.into_values().collect(),
            tapes: draft.tapes.into_iter().collect(),
        })
    }
}

impl Draft {
    fn take(&mut self, run_id: Uuid, op: &StoreOp) -> Result<(), StoreError> {
        match op {
            StoreOp::Insert(trade) => {
                let row = StoredTrade::of(run_id, trade)?;
                let known = self
                    .inserts
                    .entry((row.seq, row.n))
                    .or_insert_with(|| row.clone());
                if known.payload_hash != row.payload_hash {
                    return Err(StoreError::DuplicateConflict { id: row.id });
                }
            }
            StoreOp::Update { cause, update } => {
                let key = (update.id.seq, update.id.n);
                newest(
                    &mut self.changes,
                    key,
                    Change::of(run_id, *cause, update),
                    |c| c.updated_seq,
                );
            }
            StoreOp::Intent(intent) => {
                let row = StoredIntent::of(run_id, intent)?;
                let grades = || StoredGrade::of(run_id, intent);
                let hash = row.payload_hash;
                let (known, _) = self
                    .intents
                    .entry(intent.id)
                    .or_insert_with(|| (row, grades()));
                if known.payload_hash != hash {
                    let intent = known.intent_id.clone();
                    return Err(StoreError::IntentConflict { intent });
                }
            }
            StoreOp::Market { cause, market } => {
                let row = StoredMarket::of(run_id, *cause, market);
                newest(&mut self.markets, market.market, row, |m| m.updated_seq);
            }
            StoreOp::Corroborate(said) => {
                let id = trade_uuid(run_id, said.trade);
                if *self.tapes.entry(id).or_insert(said.tape) != said.tape {
                    return Err(StoreError::TapeConflict { id });
                }
            }
            StoreOp::Denials { cause, count } => {
                let key = (count.strategy_name.clone(), count.reason, count.minute);
                let row = StoredDenials::of(run_id, *cause, count);
                newest(&mut self.denials, key, row, |d| d.updated_seq);
            }
            StoreOp::Equity { cause, sample } => {
                let row = StoredEquity::of(run_id, *cause, sample);
                newest(&mut self.equity, sample.minute, row, |e| e.seq);
            }
            StoreOp::Alert { cause, alert } => {
                let row = StoredAlert::of(run_id, *cause, alert);
                self.alerts.entry((*cause, row.id)).or_insert(row);
            }
            StoreOp::Counts { cause, counts } => {
                for (kind, name, count) in counts {
                    let row = StoredCount {
                        run_id,
                        kind: *kind,
                        name: name.clone(),
                        count: *count,
                        updated_seq: *cause,
                    };
                    newest(&mut self.counts, (*kind, name.clone()), row, |c| {
                        c.updated_seq
                    });
                }
            }
        }
        Ok(())
    }
}

/// Puts a state in the place of an older one; of two of one record the later one counts.
fn newest<K: Ord, T>(all: &mut BTreeMap<K, T>, key: K, new: T, seq: impl Fn(&T) -> Seq) {
    match all.entry(key) {
        Entry::Vacant(place) => _ = place.insert(new),
        Entry::Occupied(mut known) if seq(known.get()) <= seq(&new) => _ = known.insert(new),
        Entry::Occupied(_) => {}
    }
}
