//! Pass two: lists what the recording holds and writes its messages into the journal, in order.
//!
//! Numbers are given in the order of the journal. Every market is listed before its first message;
//! its outcome comes after every message of the same instant. A book whose prices do not lie on the
//! market's grid proves that the grid had become finer: the change is written before it, because a
//! recording of books alone does not hold the venue's announcement.

use super::draft::Draft;
use super::intake::{EVENTS, FRAME, Feed, Intake};
use super::sort::Merge;
use super::{Format, ImportError, ImportReport, Refusal};
use crate::catalog::Catalog;
use crate::journal::{JournalError, JournalWriter, RunMeta, codec};
use crate::venue::polymarket::Decoder;
use pm_arb_core::event::{BookSnapshot, Event, GapScope, Resolution};
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Timestamp};
use pm_arb_core::market::{MarketSpec, OracleSpec, SettlementRule};
use pm_arb_core::units::Price;
use sha2::Digest as _;
use std::path::Path;
use uuid::Uuid;

/// Grids of the venue, coarse to fine.
const GRIDS: [Price; 4] = [Price(100_000), Price(10_000), Price(1_000), Price(100)];

/// Something that happens to a market at a known time.
struct Milestone {
    at: Timestamp,
    /// Listings before messages of the same instant, outcomes behind them.
    is_outcome: bool,
    event: Event,
}

/// An instrument's grid, as told last.
#[derive(Debug, Clone, Copy)]
struct Grid {
    tick: Price,
    twin: InstrumentId,
    market: MarketId,
}

struct Emitter {
    writer: JournalWriter,
    catalog: Catalog,
    decoder: Decoder,
    /// Real numbers by provisional ones.
    instruments: Vec<Option<InstrumentId>>,
    oracles: Vec<Option<OracleId>>,
    /// By real instrument.
    grids: Vec<Grid>,
    /// The listed markets, by their number.
    specs: Vec<MarketSpec>,
    /// Reused.
    events: Vec<Event>,
    used: u64,
    unused: u64,
    refused: Vec<(usize, u64, String)>,
}

/// Writes the run at `dir`.
pub(super) fn emit(mut intake: Intake, dir: &Path) -> Result<ImportReport, ImportError> {
    let mut catalog = Catalog::default();
    let (oracles, feeds) = list_feeds(&mut intake, &mut catalog);
    let (milestones, instruments, grids) = list_markets(&mut intake, &mut catalog, &oracles)?;
    let markets = milestones.iter().filter(|m| !m.is_outcome).count();

    let sorter = std::mem::replace(&mut intake.sorter, super::sort::Sorter::new(dir));
    let mut merge = sorter.finish()?;
    let first = milestones.first().map(|m| m.at);
    let begin = match (first, merge.peek()?) {
        (Some(a), Some(b)) => a.min(b),
        (Some(at), None) | (None, Some(at)) => at,
        (None, None) => return Err(nothing(&intake, None)),
    };
    let meta = run_meta(&intake, begin);
    let mut emitter = Emitter {
        writer: JournalWriter::create(dir, &meta)?,
        catalog,
        decoder: Decoder::new(),
        instruments,
        oracles,
        grids,
        specs: Vec::new(),
        events: Vec::new(),
        used: 0,
        unused: 0,
        refused: Vec::new(),
    };
    emitter.append(begin, &Event::Configured(Box::default()))?;
    let oracle_count = feeds.len();
    for feed in feeds {
        emitter.append(begin, &Event::OracleListed(Box::new(feed)))?;
    }
    emitter.merge(milestones, &mut merge)?;
    emitter.writer.commit()?;

    for (file, line, why) in std::mem::take(&mut emitter.refused) {
        intake.refuse_in(file, line, why);
    }
    if emitter.used == 0 && markets == 0 {
        return Err(nothing(&intake, intake.refused.first().cloned()));
    }
    Ok(ImportReport {
        files: intake.files.len(),
        left_out: Vec::new(),
        lines: intake.lines,
        unused: intake.unused + emitter.unused,
        events: emitter.writer.last_seq().0,
        markets,
        oracles: oracle_count,
        notes: notes(&intake),
        refused: intake.refused,
        refused_count: intake.refused_count,
    })
}

fn nothing(intake: &Intake, first: Option<Refusal>) -> ImportError {
    ImportError::NothingUsable {
        format: intake.format,
        lines: intake.lines,
        first: first
            .or_else(|| intake.refused.first().cloned())
            .map(Box::new),
    }
}

/// The same recording gives the same run, byte for byte.
fn run_meta(intake: &Intake, begin: Timestamp) -> RunMeta {
    let digest = intake.digest.clone().finalize();
    let run_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &digest);
    let mut meta = RunMeta::new(run_id, &format!("import:{}", intake.format), begin);
    let notes = notes(intake);
    meta.note = (!notes.is_empty()).then(|| notes.join("; "));
    meta
}

fn notes(intake: &Intake) -> Vec<String> {
    let mut notes = Vec::new();
    if intake.sizes_cut > 0 {
        notes.push(format!(
            "{} sizes carried float noise and were cut to a millionth of a share",
            intake.sizes_cut
        ));
    }
    for feed in intake.feeds.iter().filter(|f| f.unless.is_some()) {
        if stands_in(feed, &intake.feeds) {
            notes.push(format!(
                "{} {} has no trades: the middle of its best bid and ask is used",
                feed.source, feed.symbol
            ));
        }
    }
    if intake.format == Format::PolymarketBook && intake.drafts.iter().any(|d| !d.sides_known) {
        notes.push(
            "the recording does not say which token is Up: only the venue could settle these markets"
                .to_owned(),
        );
    }
    notes
}

/// Whether a stand-in is needed: it has values, and the feed it stands in for has none.
fn stands_in(feed: &Feed, all: &[Feed]) -> bool {
    let first = feed.unless.and_then(|id| all.get(id.index()));
    feed.ticks > 0 && first.is_some_and(|f| f.ticks == 0)
}

/// Numbers the feeds that have values or decide a listed market.
fn list_feeds(
    intake: &mut Intake,
    catalog: &mut Catalog,
) -> (Vec<Option<OracleId>>, Vec<OracleSpec>) {
    let mut decides = vec![false; intake.feeds.len()];
    for draft in &mut intake.drafts {
        draft.complete();
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
            None => feed.ticks > 0 || decides,
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

type Listed = (Vec<Milestone>, Vec<Option<InstrumentId>>, Vec<Grid>);

/// Numbers the markets in the order of their listing.
fn list_markets(
    intake: &mut Intake,
    catalog: &mut Catalog,
    oracles: &[Option<OracleId>],
) -> Result<Listed, ImportError> {
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
        if let Some(published) = &draft.published {
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
    Ok((milestones, instruments, grids))
}

fn market_of(event: &Event) -> MarketId {
    match event {
        Event::MarketListed(spec) => spec.id,
        Event::Resolved(resolution) => resolution.market,
        _ => MarketId(0),
    }
}

fn number_oracle(rule: &mut SettlementRule, oracles: &[Option<OracleId>]) {
    if let SettlementRule::UpDown { oracle, .. }
    | SettlementRule::UpDownTwap { oracle, .. }
    | SettlementRule::Above { oracle, .. } = rule
        && let Some(Some(number)) = oracles.get(oracle.index())
    {
        *oracle = *number;
    }
}

impl Emitter {
    fn append(&mut self, at: Timestamp, event: &Event) -> Result<(), ImportError> {
        self.writer.append(at, event)?;
        Ok(())
    }

    fn merge(&mut self, milestones: Vec<Milestone>, merge: &mut Merge) -> Result<(), ImportError> {
        for milestone in milestones {
            while let Some(at) = merge.peek()? {
                let before = at < milestone.at || (at == milestone.at && milestone.is_outcome);
                if !before {
                    break;
                }
                self.message(merge)?;
            }
            if let Event::MarketListed(spec) = &milestone.event {
                // Up-or-down windows are no members of negative-risk sets.
                self.decoder.track(spec, false);
                self.specs.push((**spec).clone());
            }
            self.append(milestone.at, &milestone.event)?;
        }
        while self.message(merge)? {}
        Ok(())
    }

    /// Takes the next message; `false` when there is none.
    fn message(&mut self, merge: &mut Merge) -> Result<bool, ImportError> {
        let Some((at, payload)) = merge.next()? else {
            return Ok(false);
        };
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match payload.split_first() {
            Some((&EVENTS, rest)) => self.stored(rest, &mut events)?,
            Some((&FRAME, rest)) => self.frame(rest, &mut events),
            _ => {}
        }
        self.tell_grids(at, &events)?;
        for event in &events {
            self.append(at, event)?;
        }
        self.used += events.len() as u64;
        self.events = events;
        Ok(true)
    }

    /// Events of pass one, with their real numbers. Those of a stand-in that is not needed go.
    fn stored(&self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), ImportError> {
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
            let (payload, rest) = rest.split_at(length);
            bytes = rest;
            let mut event = Event::Tick;
            codec::decode_into(payload, &mut event).map_err(JournalError::Encode)?;
            let number = |id: InstrumentId| self.instruments.get(id.index()).copied().flatten();
            let known = match &mut event {
                Event::Snapshot(book) => number(book.instrument).map(|id| book.instrument = id),
                Event::OracleTick(tick) => {
                    let id = self.oracles.get(tick.oracle.index()).copied().flatten();
                    id.map(|id| tick.oracle = id)
                }
                // Readers store nothing else.
                _ => None,
            };
            if known.is_some() {
                events.push(event);
            }
        }
        Ok(())
    }

    /// Events of a raw frame.
    fn frame(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let Some((file, rest)) = bytes.split_first_chunk::<8>() else {
            return;
        };
        let Some((line, text)) = rest.split_first_chunk::<8>() else {
            return;
        };
        let text = std::str::from_utf8(text).unwrap_or_default();
        let why = match self.decoder.frame(text, &self.catalog, events) {
            Err(e) => chain(&e),
            Ok(counts) if counts.hash_wrong > 0 => {
                if self.frame_on_finer_grid(text, events) {
                    return;
                }
                "the book does not have the hash it claims".to_owned()
            }
            Ok(counts) if counts.refused > 0 => {
                format!("{} of its values are unusable", counts.refused)
            }
            Ok(counts) if events.is_empty() && counts.untracked > 0 => {
                "its market is described neither by a file nor by a file's name".to_owned()
            }
            Ok(_) => {
                self.unused += u64::from(events.is_empty());
                return;
            }
        };
        let place = (u64::from_le_bytes(*file), u64::from_le_bytes(*line));
        self.refused.push((place.0 as usize, place.1, why));
    }

    /// The hash of a book covers the market's grid. A recording without the venue's announcements
    /// does not tell when that became finer, but a hash that is true on a finer grid proves it.
    fn frame_on_finer_grid(&mut self, text: &str, events: &mut Vec<Event>) -> bool {
        let broken = events.iter().find_map(|event| match event {
            Event::Gap {
                scope: GapScope::Instrument(instrument),
                ..
            } => Some(*instrument),
            _ => None,
        });
        let Some((own, grid)) = broken.and_then(|own| Some((own, *self.grids.get(own.index())?)))
        else {
            return false;
        };
        let Some(mut spec) = self.specs.get(grid.market.index()).cloned() else {
            return false;
        };
        let mut found = Vec::new();
        for tick in GRIDS.into_iter().filter(|t| *t < grid.tick) {
            spec.tick = tick;
            self.decoder.track(&spec, false);
            found.clear();
            found.extend([own, grid.twin].map(|instrument| Event::TickSize { instrument, tick }));
            let counts = self.decoder.frame(text, &self.catalog, &mut found);
            if counts.is_ok_and(|c| c.hash_wrong == 0 && c.refused == 0) {
                std::mem::swap(events, &mut found);
                return true;
            }
        }
        spec.tick = grid.tick;
        self.decoder.track(&spec, false);
        false
    }

    /// Writes the finer grids that the books of a message prove.
    fn tell_grids(&mut self, at: Timestamp, events: &[Event]) -> Result<(), ImportError> {
        for event in events {
            match event {
                Event::TickSize { instrument, tick } => self.note_grid(*instrument, *tick),
                Event::Snapshot(book) => {
                    let Some(grid) = self.grids.get(book.instrument.index()).copied() else {
                        continue;
                    };
                    let Some(tick) = proven_grid(book, grid.tick) else {
                        continue;
                    };
                    for instrument in [book.instrument, grid.twin] {
                        self.note_grid(instrument, tick);
                        self.append(at, &Event::TickSize { instrument, tick })?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn note_grid(&mut self, instrument: InstrumentId, tick: Price) {
        if let Some(grid) = self.grids.get_mut(instrument.index()) {
            grid.tick = tick;
        }
    }
}

/// The coarsest grid finer than `told` that holds all prices, when `told` does not.
fn proven_grid(book: &BookSnapshot, told: Price) -> Option<Price> {
    let fits = |tick: Price| {
        let mut levels = book.bids.iter().chain(&book.asks);
        levels.all(|(price, _)| price.is_on_tick(tick))
    };
    if fits(told) {
        return None;
    }
    GRIDS.into_iter().filter(|t| *t < told).find(|t| fits(*t))
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_arb_core::units::Qty;

    #[test]
    fn books_prove_only_finer_grids() {
        let book = |prices: &[i64]| BookSnapshot {
            instrument: InstrumentId(0),
            more: false,
            venue_time: Timestamp(0),
            bids: prices.iter().map(|p| (Price(*p), Qty(1))).collect(),
            asks: Vec::new(),
        };
        let cent = Price(10_000);
        for (prices, expected) in [
            (&[500_000, 510_000][..], None),
            (&[500_000, 991_000], Some(Price(1_000))),
            (&[991_100], Some(Price(100))),
            (&[991_110], None),
            (&[], None),
        ] {
            assert_eq!(proven_grid(&book(prices), cent), expected, "{prices:?}");
        }
    }
}
