//! Gives the real numbers: lists the feeds and markets of a recording in the order of the journal.

use super::ImportError;
use super::draft::Draft;
use super::intake::{Feed, Intake};
use crate::catalog::Catalog;
use pm_arb_core::event::{Event, Resolution};
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Timestamp};
use pm_arb_core::market::{OracleSpec, SettlementRule};
use pm_arb_core::units::Price;

/// Something that happens to a market at a known time.
pub(super) struct Milestone {
    pub at: Timestamp,
    /// Listings before messages of the same instant, outcomes behind them.
    pub is_outcome: bool,
    pub event: Event,
}

/// An instrument's grid, as told last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// `None` while nobody told it.
    pub tick: Option<Price>,
    pub twin: InstrumentId,
    pub market: MarketId,
}

/// The markets, with their real numbers.
pub(super) struct Markets {
    /// Listings and outcomes, in order.
    pub milestones: Vec<Milestone>,
    /// Real numbers by provisional ones.
    pub instruments: Vec<Option<InstrumentId>>,
    /// By real instrument.
    pub grids: Vec<Grid>,
}

/// Whether a stand-in is needed: it has values, and the feed it stands in for has none.
pub(super) fn stands_in(feed: &Feed, all: &[Feed]) -> bool {
    let first = feed.unless.and_then(|id| all.get(id.index()));
    feed.ticks > 0 && first.is_some_and(|f| f.ticks == 0)
}

/// Numbers the feeds that have values or candles, or decide a listed market.
pub(super) fn list_feeds(
    intake: &mut Intake,
    catalog: &mut Catalog,
) -> (Vec<Option<OracleId>>, Vec<OracleSpec>) {
    let mut decides = vec![false; intake.feeds.len()];
    for draft in &mut intake.drafts {
        draft.complete(&intake.rules);
        if let Some(id) = draft.spec.settlement.oracle().filter(|_| draft.is_listed())
            && let Some(flag) = decides.get_mut(id.index())
        {
            *flag = true;
        }
    }
    let mut numbers = Vec::new();
    let mut specs: Vec<OracleSpec> = Vec::new();
    for (feed, decides) in intake.feeds.iter().zip(decides) {
        let used = match feed.unless {
            Some(_) => stands_in(feed, &intake.feeds),
            None => feed.ticks > 0 || feed.candles > 0 || decides,
        };
        numbers.push(used.then(|| {
            let (id, is_new) = catalog.list_oracle(&feed.source, &feed.symbol);
            if is_new {
                specs.push(OracleSpec {
                    id,
                    source: feed.source.clone(),
                    symbol: feed.symbol.clone(),
                    proxy: None,
                });
            }
            id
        }));
    }
    // Where both are recorded, Binance stands in for Chainlink's live value.
    let proxies: Vec<(String, OracleId)> = specs
        .iter()
        .filter(|s| s.source == "binance")
        .map(|s| (s.symbol.clone(), s.id))
        .collect();
    for spec in specs.iter_mut().filter(|s| s.source == "chainlink") {
        let symbol = format!("{}t", spec.symbol);
        spec.proxy = proxies
            .iter()
            .find(|(name, _)| *name == symbol)
            .map(|(_, id)| *id);
    }
    (numbers, specs)
}

/// Numbers the markets in the order of their listing.
pub(super) fn list_markets(
    intake: &Intake,
    catalog: &mut Catalog,
    oracles: &[Option<OracleId>],
) -> Result<Markets, ImportError> {
    let mut order: Vec<(usize, &Draft)> = intake
        .drafts
        .iter()
        .enumerate()
        .filter(|(_, d)| d.is_listed())
        .collect();
    order.sort_by(|(_, a), (_, b)| {
        (a.listed_at(), &a.spec.slug, &a.spec.native_id).cmp(&(
            b.listed_at(),
            &b.spec.slug,
            &b.spec.native_id,
        ))
    });
    let mut milestones = Vec::new();
    let mut instruments = vec![None; intake.drafts.len() * 2];
    let mut grids = Vec::new();
    for (index, draft) in order {
        let mut spec = catalog.list_market(draft.spec.clone())?;
        number_oracle(&mut spec.settlement, oracles);
        for (n, outcome) in spec.outcomes.iter().enumerate() {
            let slot = Intake::instrument(index, n).index();
            if let Some(slot) = instruments.get_mut(slot) {
                *slot = Some(outcome.instrument);
            }
            let own = outcome.instrument;
            let grid = Grid {
                tick: spec.tick,
                twin: spec.complement_of(own).unwrap_or(own),
                market: spec.id,
            };
            // Numbers are given in order, so this is the next one (or a known one again).
            match grids.get_mut(own.index()) {
                Some(known) => *known = grid,
                None => grids.push(grid),
            }
        }
        for published in &draft.published {
            milestones.push(Milestone {
                at: draft.resolved_at(published),
                is_outcome: true,
                event: Event::Resolved(Box::new(Resolution {
                    market: spec.id,
                    payouts: published.payouts.clone(),
                    evidence: published.evidence.clone(),
                })),
            });
        }
        milestones.push(Milestone {
            at: draft.listed_at(),
            is_outcome: false,
            event: Event::MarketListed(Box::new(spec)),
        });
    }
    milestones.sort_by_key(|m| (m.at, m.is_outcome, market_of(&m.event)));
    Ok(Markets {
        milestones,
        instruments,
        grids,
    })
}

fn market_of(event: &Event) -> MarketId {
    match event {
        Event::MarketListed(spec) => spec.id,
        Event::Resolved(resolution) => resolution.market,
        _ => MarketId(0),
    }
}

fn number_oracle(rule: &mut SettlementRule, oracles: &[Option<OracleId>]) {
    if let Some(oracle) = rule.oracle_mut()
        && let Some(Some(number)) = oracles.get(oracle.index())
    {
        *oracle = *number;
    }
}
