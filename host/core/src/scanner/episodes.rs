//! Episodes of edges: one identity from the first sight until the edge has been gone for a while.

use super::Edge;
use crate::config::ScannerConfig;
use crate::ids::{Nanos, OpportunityId, Timestamp};
use crate::units::{Qty, Usd};
use std::collections::BTreeMap;

/// Most episodes held at once. More edges than that at one time are no market; the next is not
/// followed, and so not reported, until others end.
const MAX_EPISODES: usize = 10_000;

/// What an edge looked like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub edge: Usd,
    pub qty: Qty,
    /// Sum of the legs' prices.
    pub prices: i64,
    pub closes_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    id: OpportunityId,
    /// As last reported.
    reported: Sight,
    gone_since: Option<Timestamp>,
}

/// What there is to tell of an edge that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is a new one.
    Begun,
    /// It is an old one under this id that changed so much that it is worth telling.
    Changed(OpportunityId),
    /// It is as it was told.
    Same,
    /// More edges at once than are followed.
    Unfollowed,
}

/// The edges that are there, or were a moment ago.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    open: BTreeMap<Edge, Episode>,
}

impl Episodes {
    /// An edge is there: what there is to tell of it. A new one goes by the id `fresh`.
    pub(super) fn seen(
        &mut self,
        edge: Edge,
        sight: Sight,
        now: Timestamp,
        fresh: OpportunityId,
        config: &ScannerConfig,
    ) -> Told {
        if let Some(episode) = self.open.get_mut(&edge) {
            let over = |gone: Timestamp| now.since(gone) >= config.rearm;
            if !episode.gone_since.is_some_and(over) {
                episode.gone_since = None;
                if !differs(&episode.reported, &sight, config.edge_min) {
                    return Told::Same;
                }
                episode.reported = sight;
                return Told::Changed(episode.id);
            }
        } else if self.open.len() >= MAX_EPISODES {
            self.expire(now);
            if self.open.len() >= MAX_EPISODES {
                return Told::Unfollowed;
            }
        }
        let episode = Episode {
            id: fresh,
            reported: sight,
            gone_since: None,
        };
        self.open.insert(edge, episode);
        Told::Begun
    }

    /// The ids of the edges that are there now.
    pub(super) fn shown(&self) -> impl Iterator<Item = OpportunityId> + '_ {
        let there = self.open.values().filter(|e| e.gone_since.is_none());
        there.map(|e| e.id)
    }

    /// An edge is not there (any more). Once it has been gone for `rearm` it is forgotten.
    pub(super) fn gone(&mut self, edge: Edge, now: Timestamp, rearm: Nanos) {
        // Nearly always there is none at all, and this is on the path of every quote.
        if self.open.is_empty() {
            return;
        }
        let Some(episode) = self.open.get_mut(&edge) else {
            return;
        };
        let since = *episode.gone_since.get_or_insert(now);
        if now.since(since) >= rearm {
            self.open.remove(&edge);
        }
    }

    /// Forgets the edges of markets that have closed.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.open.retain(|_, e| e.reported.closes_at > now);
    }
}

/// Whether a reader of the last report would be misled by it now: another price, an edge further off
/// than the smallest one worth reporting, or a size that halved or doubled.
fn differs(told: &Sight, seen: &Sight, edge_min: Usd) -> bool {
    let step = edge_min.0.max(1);
    told.prices != seen.prices
        || told.edge.0.abs_diff(seen.edge.0) >= step.unsigned_abs()
        || seen.qty.0 / 2 >= told.qty.0
        || told.qty.0 / 2 >= seen.qty.0
}
