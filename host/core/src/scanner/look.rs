//! What looks showed: the best and the last of every market, and a look taken because somebody asks.
//!
//! A look for a question is the scanner's own judgement, taken by a copy of it that keeps nothing: the run
//! itself neither counts it nor learns from it.

use super::{Edge, ScanLimits, Scanner, View};
use crate::ids::{InstrumentId, MarketId, Seq, Timestamp};
use crate::market_data::MarketData;
use crate::opportunity::OpportunityKind;
use crate::reason::Reason;
use crate::units::Usd;

/// Most looks that one question is answered with; a market on a long ladder has more.
pub const LOOKS_MAX: usize = 64;

/// What prices leave a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How much; negative when they cost more than they pay.
    pub usd: Usd,
    /// After fees and haircut; otherwise before them, and what is left is less.
    pub net: bool,
}

/// What a look was taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookAt {
    /// An outcome against its oracle.
    Outcome(InstrumentId),
    /// Both outcomes of the market.
    Complement,
    /// Outcome number `.0` of every market of an exclusive set.
    Set(u8),
    /// This market and one that it implies or that implies it.
    Implication(MarketId),
    /// The same question on another venue.
    Pair(InstrumentId, InstrumentId),
}

/// One look and what it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// At what.
    pub at: LookAt,
    /// The family of edge that was looked for.
    pub kind: OpportunityKind,
    /// What the prices leave, where that was worked out.
    pub left: Option<Left>,
    /// Why nothing could be made of it.
    pub refused: Option<Reason>,
}

/// What came of the looks from one market so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The most that prices ever left, and when.
    pub best: Option<(Left, Timestamp)>,
    /// The last look that nothing could be made of: why, and when.
    pub refused: Option<(Reason, Timestamp)>,
}

impl Scanner {
    /// What the looks from a market came to; `None` before the first.
    #[must_use]
    pub fn mark(&self, market: MarketId) -> Option<&Mark> {
        self.marks.get(market.index())
    }

    /// A market is retired: its mark goes. Whether it had been looked at.
    pub(crate) fn retired(&mut self, market: MarketId) -> bool {
        self.marks.remove(market.index()).is_some()
    }

    /// The opportunities whose edges are there now.
    pub fn shown(&self) -> impl Iterator<Item = crate::ids::OpportunityId> + '_ {
        self.episodes.shown()
    }

    /// Looks at a market as a scan would now and tells what it sees, at most [`LOOKS_MAX`] looks. Changes
    /// nothing.
    #[must_use]
    pub fn look(
        &self,
        data: &MarketData,
        market: MarketId,
        now: Timestamp,
        limits: ScanLimits,
    ) -> Vec<Look> {
        let Some(state) = data.market(market) else {
            return Vec::new();
        };
        let mut probe = Self::new(self.config.clone());
        probe.learning = self.learning.beliefs();
        probe.trace = Some(Vec::new());
        let view = View {
            now,
            seq: Seq(0),
            data,
            limits,
            due: &[],
        };
        probe.scan_market(view, state, &mut Vec::new());
        probe.trace.unwrap_or_default()
    }

    /// Takes note of what a look showed.
    pub(super) fn note(
        &mut self,
        view: View<'_>,
        edge: Edge,
        left: Option<Left>,
        refused: Option<Reason>,
    ) {
        if let Some(trace) = &mut self.trace {
            if trace.len() < LOOKS_MAX {
                trace.push(Look {
                    at: edge.seen_from(self.focus),
                    kind: edge.kind(),
                    left,
                    refused,
                });
            }
            return;
        }
        if self.marks.get(self.focus.index()).is_none() {
            self.counts.first_looks = self.counts.first_looks.saturating_add(1);
        }
        let Some(mark) = self.marks.entry(self.focus.index(), Mark::default) else {
            return;
        };
        match (left, refused) {
            (_, Some(reason)) => mark.refused = Some((reason, view.now)),
            (Some(left), None) if mark.best.is_none_or(|(best, _)| left.usd > best.usd) => {
                mark.best = Some((left, view.now));
            }
            _ => {}
        }
    }
}

impl Edge {
    fn seen_from(self, market: MarketId) -> LookAt {
        match self {
            Edge::Lag(instrument) => LookAt::Outcome(instrument),
            Edge::Complement(_) => LookAt::Complement,
            Edge::Set(_, outcome) => LookAt::Set(outcome),
            Edge::Implication(a, b) => LookAt::Implication(if a == market { b } else { a }),
            Edge::Pair(a, b) => LookAt::Pair(a, b),
        }
    }
}
