//! The invariants, checked after every record whatever it was.
//!
//! - The accounts sum to zero: `cash + reserved + locked + fees − realised gain = starting capital`.
//! - Free, reserved, locked money and fees are not negative.
//! - What the ledger has locked is what the open rows cost, and the rows told to the world as open are
//!   those that are held.
//! - Only an approved intent fills: a denied one never does, and no order is under way that was denied.
//! - A rejection is never a position.
//!
//! All of them are comparisons of running sums and counts, so a check costs the same however much is
//! open. That the running sums are the sums of what they count is audited now and then
//! ([`Engine::audit`]). A violation ends the run with the record that caused it: wrong books must not
//! be traded on, and a restart would come to the same point.

use super::{Engine, Turn};
use crate::effect::{Effect, TradeRecord, TradeStatus};
use crate::event::Record;
use crate::ids::IntentId;
use crate::position::Positions;
use std::collections::BTreeSet;

/// What the engine itself is held to.
#[derive(Debug, Default)]
pub(super) struct Ward {
    /// Approved intents whose orders are not over.
    approved: BTreeSet<IntentId>,
    /// The first thing this step said that can not be.
    wrong: Option<String>,
}

impl Ward {
    /// Risk said yes.
    pub(super) fn approved(&mut self, intent: IntentId) {
        self.approved.insert(intent);
    }

    /// The engine is about to say this.
    pub(super) fn hears(&mut self, effect: &Effect, positions: &Positions) {
        let Effect::RecordTrade(row) = effect else {
            return;
        };
        if self.wrong.is_none() {
            self.wrong = self.wrong_with(row, positions);
        }
    }

    fn wrong_with(&self, row: &TradeRecord, positions: &Positions) -> Option<String> {
        let why = if row.status == TradeStatus::Rejected {
            if row.rejection.is_none() {
                "is rejected for no reason"
            } else if row.qty.0 != 0 || positions.get(row.id).is_some() {
                "is rejected and held"
            } else {
                return None;
            }
        } else if !row.risk_approved || !self.approved.contains(&row.intent) {
            "is a fill of an intent that was not approved"
        } else if row.rejection.is_some() || row.qty.0 <= 0 {
            "is a fill of nothing"
        } else {
            return None;
        };
        Some(format!("row {} of intent {} {why}", row.id, row.intent))
    }
}

impl Engine {
    /// Ends the run if the record left anything behind that can not be.
    pub(super) fn check(&mut self, record: &Record, effects: &mut Vec<Effect>) {
        // Orders that are over need their approval no more. There are few, and they end one by one.
        if self.ward.approved.len() > self.under_way() {
            let mut approved = core::mem::take(&mut self.ward.approved);
            approved.retain(|intent| self.is_under_way(*intent));
            self.ward.approved = approved;
        }
        if let Some(what) = self.violation() {
            self.broken = true;
            let (seq, kind) = (record.seq, record.event.kind());
            effects.push(Effect::Abort(violated(seq, kind, &what)));
        }
    }

    /// How many orders may still fill. Wherever an order waits, it must be counted here.
    fn under_way(&self) -> usize {
        self.orders.len()
    }

    /// Whether the order of this intent may still fill.
    fn is_under_way(&self, intent: IntentId) -> bool {
        self.orders.contains_key(&intent)
    }

    fn violation(&self) -> Option<String> {
        let totals = self.ledger.totals();
        let (locked, cost) = (self.ledger.locked(), self.positions.cost());
        let (held, told) = (self.positions.len(), self.tally.open());
        if totals.sum() != 0 {
            return Some(format!(
                "money is not conserved: the accounts sum to {} micro-dollars, not zero ({totals:?})",
                totals.sum()
            ));
        }
        if totals.cash < 0 || totals.reserved < 0 || totals.locked < 0 || totals.fees < 0 {
            return Some(format!("an account is overdrawn ({totals:?})"));
        }
        if locked != cost {
            return Some(format!(
                "the ledger has {locked} USD locked and positions cost {cost} USD"
            ));
        }
        if held != told {
            return Some(format!("{held} rows are held and {told} were told as open"));
        }
        if self.orders.len() > self.ward.approved.len() {
            return Some("an order is under way that risk did not approve".to_owned());
        }
        self.ward.wrong.clone()
    }

    /// Counts anew what is kept as running sums; what differs, in words. It looks at every account and
    /// every position.
    pub fn audit(&self) -> Result<(), String> {
        self.ledger.audit()?;
        let (cost, worth) = self.positions.recount();
        if (cost, worth) != (self.positions.cost(), self.positions.worth()) {
            return Err(format!(
                "rows cost {cost} USD and are worth {worth} USD, but the running sums say {} and {}",
                self.positions.cost(),
                self.positions.worth()
            ));
        }
        match self
            .positions
            .mismarked(|i| super::equity::bid(&self.data, self.now, i))
        {
            Some(row) => Err(format!("row {row} is not marked at its bid")),
            None => Ok(()),
        }
    }

    /// Audits now and then.
    pub(super) fn audited(&mut self, turn: &mut Turn<'_>) {
        if let Err(what) = self.audit() {
            self.abort(&what, turn);
        }
    }
}

/// How a violation is reported.
pub(super) fn violated(seq: crate::ids::Seq, kind: &str, what: &str) -> String {
    format!("record {seq} ({kind}): {what}")
}
