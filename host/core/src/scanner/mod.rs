//! Scanner: looks at what a message touched and reports edges net of fees, or the reason for none.
//!
//! Owns the episodes of edges, the fair values of the moment and the counts. It decides nothing: an
//! opportunity is an observation of one instant with everything needed to judge it. What can not be
//! proven to have existed at one time (sums over books of different times, sets with unknown
//! members) is counted with its reason and never reported.

mod cross_platform;
mod episodes;
mod implication;
mod learning;
mod look;
mod mispricing;
mod oracle_lag;

use crate::config::{RiskLimits, ScannerConfig};
use crate::ids::{InstrumentId, MarketId, Nanos, OpportunityId, Seq, Timestamp};
use crate::market_data::{MAX_MARKETS, MarketData, MarketState, Table, Touched};
use crate::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use crate::reason::Reason;
use crate::relation::Relation;
use crate::units::{Price, Qty, Usd};
use episodes::{Episodes, Sight, Told};
use learning::Learning;
use oracle_lag::FairValues;

pub use look::{Left, Look, LookAt, Mark};
pub use oracle_lag::{Estimate, Offer, Worth};

/// Most opportunities of one record, and so the first `n` of an [`OpportunityId`] that is free for
/// ideas of strategies. More edges at once than that are no market; they are counted as implausible.
pub const MAX_PER_RECORD: u16 = 1_024;

/// What may back an opportunity: the guardian's own limits, so that nothing is reported that it would
/// refuse for its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Age of a book.
    pub book_age_max: Nanos,
    /// Age of an oracle value.
    pub oracle_age_max: Nanos,
    /// Largest believable edge a share.
    pub edge_max: Usd,
}

impl From<&RiskLimits> for ScanLimits {
    fn from(limits: &RiskLimits) -> Self {
        Self {
            book_age_max: limits.book_age_max,
            oracle_age_max: limits.oracle_age_max,
            edge_max: limits.edge_max,
        }
    }
}

/// How often the scanner looked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCounts {
    /// Looks at one possible edge: a model's outcome, a complement, a set, an implication, a pair.
    pub looks: u64,
    /// Of these, the first ones from a market.
    pub first_looks: u64,
    /// Of the looks, the ones where the prices simply left nothing worth having.
    pub no_edge: u64,
    /// Of the looks, the ones that showed an edge.
    pub edges: u64,
    /// Of these, the ones that showed it as it was told already.
    pub same: u64,
    /// Of these, the ones that showed it changed: told again.
    pub changed: u64,
    /// Of these, the ones beyond what is followed at once.
    pub unfollowed: u64,
    /// Episodes of edges begun, by kind.
    pub episodes: [u64; 3],
    /// Reports, first ones and updates.
    pub reports: u64,
    by_reason: [[u64; Reason::ALL.len()]; 3],
}

impl Default for ScanCounts {
    fn default() -> Self {
        Self {
            looks: 0,
            first_looks: 0,
            no_edge: 0,
            edges: 0,
            same: 0,
            changed: 0,
            unfollowed: 0,
            episodes: [0; 3],
            reports: 0,
            by_reason: [[0; Reason::ALL.len()]; 3],
        }
    }
}

impl ScanCounts {
    /// Why there was no opportunity, and how often; reasons that never occurred are left out.
    pub fn by_reason(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        let total = |reason: Reason| {
            let counts = self
                .by_reason
                .iter()
                .filter_map(|of| of.get(reason as usize));
            counts.fold(0_u64, |sum, n| sum.saturating_add(*n))
        };
        let counts = Reason::ALL.iter().map(move |r| (*r, total(*r)));
        counts.filter(|(_, n)| *n > 0)
    }

    /// The same for one kind: looks at prices that promised more than they could keep (a phantom), or
    /// that nothing could be said about (no strike).
    pub fn refused(&self, kind: OpportunityKind) -> impl Iterator<Item = (Reason, u64)> + '_ {
        let counts = self.by_reason.get(kind as usize).into_iter().flatten();
        let counts = Reason::ALL.iter().copied().zip(counts.copied());
        counts.filter(|(_, n)| *n > 0)
    }

    fn refuse(&mut self, kind: OpportunityKind, reason: Reason) {
        let of = self.by_reason.get_mut(kind as usize);
        if let Some(count) = of.and_then(|of| of.get_mut(reason as usize)) {
            *count = count.saturating_add(1);
        }
    }
}

impl ScannerConfig {
    /// Whether an edge after all costs is enough, and not too much to be true.
    fn is_worth_reporting(&self, edge: Usd, limits: ScanLimits) -> Result<bool, Reason> {
        if edge > limits.edge_max {
            return Err(Reason::EdgeImplausible);
        }
        Ok(edge >= self.edge_min)
    }
}

/// What identifies an edge over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    /// An outcome against its oracle.
    Lag(InstrumentId),
    /// Both outcomes of a market.
    Complement(MarketId),
    /// One outcome (by position) of every member of the set with this first member.
    Set(MarketId, u8),
    /// The first can not come true without the second.
    Implication(MarketId, MarketId),
    /// One outcome here, the opposite one there.
    Pair(InstrumentId, InstrumentId),
}

impl Edge {
    fn kind(self) -> OpportunityKind {
        match self {
            Edge::Lag(_) => OpportunityKind::OracleLag,
            Edge::Complement(_) | Edge::Set(..) | Edge::Implication(..) => {
                OpportunityKind::Mispricing
            }
            Edge::Pair(..) => OpportunityKind::CrossPlatform,
        }
    }
}

/// The surroundings of one scan.
#[derive(Clone, Copy)]
struct View<'a> {
    now: Timestamp,
    seq: Seq,
    data: &'a MarketData,
    limits: ScanLimits,
    /// Markets of which the message touched a book, ascending.
    due: &'a [MarketId],
}

impl View<'_> {
    /// Whether what binds these two was looked at from the other one already, within this message.
    fn seen_from(&self, other: MarketId, market: MarketId) -> bool {
        other < market && self.due.binary_search(&other).is_ok()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Scanner {
    config: ScannerConfig,
    fair: FairValues,
    learning: Learning,
    episodes: Episodes,
    counts: ScanCounts,
    /// What came of the looks from each market.
    marks: Table<Mark>,
    /// The market that is looked from at the moment.
    focus: MarketId,
    /// Every look, where somebody asked what a look shows; `None` while it is the run that looks.
    trace: Option<Vec<Look>>,
    /// Markets to look at, reused.
    due: Vec<MarketId>,
    /// Legs of the edge at hand, reused.
    legs: Vec<OpportunityLeg>,
    /// Opportunity ids given out for the present record.
    given: u16,
    of_record: Seq,
}

impl Scanner {
    /// A scanner that has seen nothing.
    #[must_use]
    pub fn new(config: ScannerConfig) -> Self {
        Self {
            config,
            fair: FairValues::default(),
            learning: Learning::default(),
            episodes: Episodes::default(),
            counts: ScanCounts::default(),
            marks: Table::new(MAX_MARKETS),
            focus: MarketId(0),
            trace: None,
            due: Vec::new(),
            legs: Vec::new(),
            given: 0,
            of_record: Seq(0),
        }
    }

    /// Takes other settings from here on.
    pub fn configure(&mut self, config: ScannerConfig) {
        self.config = config;
        // The prior volatility may be another one.
        self.fair.forget_all();
    }

    /// A market was settled so: what was forecast for it is compared, and remembered for the next.
    pub fn settled(&mut self, market: MarketId, payouts: &[Price]) {
        self.learning.settled(market, payouts);
    }

    /// What it saw so far.
    #[must_use]
    pub fn counts(&self) -> &ScanCounts {
        &self.counts
    }

    /// Looks at everything that a whole message touched and appends what it finds to `out`. While the
    /// message is not whole it does nothing.
    pub fn scan(
        &mut self,
        now: Timestamp,
        data: &MarketData,
        touched: &Touched,
        limits: ScanLimits,
        out: &mut Vec<Opportunity>,
        seq: Seq,
    ) {
        if !touched.whole || touched.is_empty() {
            return;
        }
        let view = View {
            now,
            seq,
            data,
            limits,
            due: &[],
        };
        if !touched.closed.is_empty() {
            self.fair.forget(&touched.closed);
            self.episodes.expire(now);
        }
        self.scan_books(view, touched, out);
        if let Some(oracle) = touched.oracle {
            for market in data.moved_by(oracle, now) {
                if let Some(market) = data.market(market) {
                    self.focus = market.spec.id;
                    self.oracle_lag(view, market, out);
                }
            }
        }
    }

    fn scan_books(&mut self, view: View<'_>, touched: &Touched, out: &mut Vec<Opportunity>) {
        let mut due = core::mem::take(&mut self.due);
        due.clear();
        let books = touched.quotes.iter().chain(&touched.interrupted);
        due.extend(books.filter_map(|i| view.data.market_id_of(*i)));
        due.sort_unstable();
        due.dedup();
        let view = View { due: &due, ..view };
        for market in due.iter().filter_map(|m| view.data.market(*m)) {
            self.scan_market(view, market, out);
        }
        self.due = due;
    }

    fn scan_market(&mut self, view: View<'_>, market: &MarketState, out: &mut Vec<Opportunity>) {
        self.focus = market.spec.id;
        self.oracle_lag(view, market, out);
        self.complement(view, market, out);
        self.exclusive_set(view, market, out);
        self.implications(view, market, out);
        self.cross_platform(view, market, out);
    }

    /// Ends a look at a possible edge: reports it, or counts why not.
    fn conclude(
        &mut self,
        view: View<'_>,
        edge: Edge,
        found: Result<Found, Reason>,
        out: &mut Vec<Opportunity>,
    ) {
        self.counts.looks = self.counts.looks.saturating_add(1);
        let left = found.ok().and_then(Found::left);
        let found = found.and_then(|found| match found {
            Found::Edge(seen) => {
                let reported = self.config.is_worth_reporting(seen.edge, view.limits)?;
                Ok(reported.then_some(seen))
            }
            Found::Nothing(_) => Ok(None),
        });
        self.note(view, edge, left, found.err());
        let seen = match found {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                self.counts.no_edge = self.counts.no_edge.saturating_add(1);
                self.episodes.gone(edge, view.now, self.config.rearm);
                return;
            }
            Err(reason) => {
                self.counts.refuse(edge.kind(), reason);
                self.episodes.gone(edge, view.now, self.config.rearm);
                return;
            }
        };
        self.report(view, edge, seen, out);
    }

    fn report(&mut self, view: View<'_>, edge: Edge, seen: Seen, out: &mut Vec<Opportunity>) {
        if self.of_record != view.seq {
            self.of_record = view.seq;
            self.given = 0;
        }
        if self.given >= MAX_PER_RECORD {
            self.counts.refuse(edge.kind(), Reason::EdgeImplausible);
            return;
        }
        self.counts.edges = self.counts.edges.saturating_add(1);
        let next = OpportunityId {
            seq: view.seq,
            n: self.given,
        };
        let sight = Sight {
            edge: seen.edge,
            qty: seen.qty,
            prices: self.legs.iter().map(|l| l.price.0).sum(),
            closes_at: seen.closes_at,
        };
        let told = self
            .episodes
            .seen(edge, sight, view.now, next, &self.config);
        let id = match told {
            Told::Begun => {
                self.given += 1;
                let kind = edge.kind() as usize;
                if let Some(count) = self.counts.episodes.get_mut(kind) {
                    *count = count.saturating_add(1);
                }
                next
            }
            Told::Changed(id) => {
                self.counts.changed = self.counts.changed.saturating_add(1);
                id
            }
            Told::Same => {
                self.counts.same = self.counts.same.saturating_add(1);
                return;
            }
            Told::Unfollowed => {
                self.counts.unfollowed = self.counts.unfollowed.saturating_add(1);
                return;
            }
        };
        self.counts.reports = self.counts.reports.saturating_add(1);
        out.push(Opportunity {
            id,
            kind: edge.kind(),
            relation: seen.relation,
            at: view.now,
            legs: self.legs.clone(),
            edge: seen.edge,
            qty: seen.qty,
            closes_at: seen.closes_at,
            oracle_age: seen.oracle_age,
        });
    }
}

/// What a look found.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// Prices that leave nothing; before fees at most this, where that was worked out.
    Nothing(Option<Usd>),
    /// An edge after fees; its legs are in the scanner's buffer.
    Edge(Seen),
}

impl Found {
    /// What the prices leave a share.
    fn left(self) -> Option<Left> {
        match self {
            Found::Nothing(gross) => gross.map(|usd| Left { usd, net: false }),
            Found::Edge(seen) => Some(Left {
                usd: seen.edge,
                net: true,
            }),
        }
    }
}

/// An edge as it was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    relation: Option<Relation>,
    edge: Usd,
    qty: Qty,
    closes_at: Timestamp,
    oracle_age: Nanos,
}

/// One leg to buy at the best ask, with its fee; or why it can not be bought.
fn leg(
    view: View<'_>,
    market: &MarketState,
    instrument: InstrumentId,
    fair: Option<Price>,
) -> Result<OpportunityLeg, Reason> {
    if !market.is_open() {
        return Err(Reason::MarketClosed);
    }
    let book = view.data.book(instrument).ok_or(Reason::NoBook)?;
    book.usable(true, view.now, view.limits.book_age_max)?;
    let (price, qty) = book.best_ask().ok_or(Reason::OneSidedBook)?;
    // Of an unknown minimum the risk guardian speaks, by its name.
    if market.spec.min_qty.is_some_and(|min| qty < min) {
        return Err(Reason::BelowMinimum);
    }
    Ok(OpportunityLeg {
        instrument,
        market: market.spec.id,
        venue: market.spec.venue,
        price,
        qty,
        fair,
        fee: market.spec.fee.per_share(price).ok_or(Reason::UnknownFee)?,
        book_age: book.age(view.now),
    })
}

/// The two legs of an edge over two markets, as `(market, what to buy there)`.
type TwoLegs<'a> = [(&'a MarketState, InstrumentId); 2];

/// What a basket that surely pays `payoff` leaves after the prices and fees of its legs.
#[must_use]
pub fn margin(legs: &[OpportunityLeg], payoff: Usd) -> Option<Usd> {
    let cost = legs.iter().try_fold(Usd::ZERO, |sum, leg| {
        sum.checked_add(Usd(leg.price.0))?.checked_add(leg.fee)
    })?;
    payoff.checked_sub(cost)
}

/// In how many shares of every leg a basket can be bought: what the thinnest one offers, on every
/// market's lot, if that is an order everywhere.
fn basket_size(data: &MarketData, legs: &[OpportunityLeg]) -> Result<Qty, Reason> {
    let offered = legs.iter().map(|leg| leg.qty).min();
    let mut qty = offered.ok_or(Reason::RiskError)?;
    let mut least = Qty::ZERO;
    for leg in legs {
        let market = data.market(leg.market).ok_or(Reason::UnknownInstrument)?;
        // Lots are powers of ten: what lies on the coarsest lies on all.
        let beyond = qty.0.checked_rem(market.spec.lot.0);
        qty.0 -= beyond.ok_or(Reason::RiskError)?;
        // Of an unknown minimum the risk guardian speaks, by its name.
        least = least.max(market.spec.min_qty.unwrap_or(Qty::ZERO));
    }
    if qty < least || qty <= Qty::ZERO {
        return Err(Reason::BelowMinimum);
    }
    Ok(qty)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "basket_tests.rs"]
mod basket_tests;
