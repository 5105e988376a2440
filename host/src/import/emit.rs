//! Pass two: lists what the recording holds and writes its messages into the journal, in order.
//!
//! Numbers are given in the order of the journal. Every market is listed before its first message;
//! its outcome comes after every message of the same instant. A book whose prices do not lie on the
//! market's grid proves that the grid had become finer: the change is written before it, because a
//! recording of books alone does not hold the venue's announcement.

use super::intake::{EVENTS, FRAME, Intake, KALSHI_FRAME};
use super::listing::{Grid, Markets, Milestone, list_feeds, list_markets, stands_in};
use super::silence::Silences;
use super::sort::Merge;
use super::{Format, ImportError, ImportReport, Refusal};
use crate::catalog::Catalog;
use crate::causes::chain;
use crate::journal::{JournalError, JournalWriter, RunMeta, codec};
use crate::meter::Meter;
use crate::venue::kalshi;
use crate::venue::polymarket::Decoder;
use pm_arb_core::event::{BookSnapshot, Event, GapScope};
use pm_arb_core::ids::{InstrumentId, OracleId, Timestamp, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::units::Price;
use sha2::Digest as _;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Grids of the venue, coarse to fine.
const GRIDS: [Price; 4] = [Price(100_000), Price(10_000), Price(1_000), Price(100)];

struct Emitter {
    writer: JournalWriter,
    catalog: Catalog,
    decoder: Decoder,
    kalshi: kalshi::Decoder,
    /// Real numbers by provisional ones.
    instruments: Vec<Option<InstrumentId>>,
    oracles: Vec<Option<OracleId>>,
    /// By real instrument.
    grids: Vec<Grid>,
    /// The listed markets, by their number.
    specs: Vec<MarketSpec>,
    /// Reused.
    events: Vec<Event>,
    /// Facts of the recording that are in the journal.
    used: u64,
    unused: u64,
    silences: Silences,
    /// File, line, why.
    refused: Vec<(usize, u64, String)>,
}

/// Writes the run at `dir`.
pub(super) fn emit(
    mut intake: Intake,
    dir: &Path,
    meter: &Meter,
) -> Result<ImportReport, ImportError> {
    let mut catalog = Catalog::default();
    let (oracles, feeds) = list_feeds(&mut intake, &mut catalog);
    let Markets {
        milestones,
        instruments,
        grids,
    } = list_markets(&intake, &mut catalog, &oracles)?;
    let markets = milestones.iter().filter(|m| !m.is_outcome).count();

    let sorter = std::mem::replace(&mut intake.sorter, super::sort::Sorter::new(dir));
    let mut merge = sorter.finish(meter)?;
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
        kalshi: kalshi::Decoder::new(Arc::clone(&intake.rules)),
        instruments,
        oracles,
        grids,
        specs: Vec::new(),
        events: Vec::new(),
        used: 0,
        unused: 0,
        silences: Silences::default(),
        refused: Vec::new(),
    };
    emitter.append(begin, &Event::Configured(Box::default()))?;
    let oracle_count = feeds.len();
    for feed in feeds {
        emitter.append(begin, &Event::OracleListed(Box::new(feed)))?;
    }
    for (reason, count) in std::mem::take(&mut intake.left_out) {
        let venue = Some(match intake.format {
            Format::KalshiFrames => Venue::Kalshi,
            _ => Venue::Polymarket,
        });
        for _ in 0..count {
            emitter.append(begin, &Event::Refused { venue, reason })?;
        }
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
        notes: [notes(&intake), emitter.silences.notes()].concat(),
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
    if intake.format == Format::PolymarketEvents {
        notes.push(super::events::ASSUMED.to_owned());
    }
    if intake.format == Format::TopOfBook {
        notes.push(super::top::ASSUMED.to_owned());
        if intake.empty_polls > 0 {
            notes.push(format!(
                "{} polls show neither a bid nor an ask (an empty book, or a request that failed): \
                 the book is empty until the next",
                intake.empty_polls
            ));
        }
    }
    notes
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
                if spec.venue == Venue::Polymarket {
                    // Up-or-down windows are no members of negative-risk sets.
                    self.decoder.track(spec, false);
                }
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
            Some((&KALSHI_FRAME, rest)) => self.kalshi_frame(rest, &mut events),
            _ => {}
        }
        self.tell_grids(at, &events)?;
        for event in &events {
            self.silences.hear(at, event);
            self.append(at, event)?;
        }
        let is_use = |e: &&Event| !matches!(e, Event::Refused { .. } | Event::Gap { .. });
        self.used += events.iter().filter(is_use).count() as u64;
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
                Event::Level(level) => number(level.instrument).map(|id| level.instrument = id),
                Event::OracleTick(tick) => {
                    let id = self.oracles.get(tick.oracle.index()).copied().flatten();
                    id.map(|id| tick.oracle = id)
                }
                Event::Candle(candle) => {
                    let id = self.oracles.get(candle.oracle.index()).copied().flatten();
                    id.map(|id| candle.oracle = id)
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
        let Some((place, text)) = raw(bytes) else {
            return;
        };
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
        self.refused.push((place.0, place.1, why));
    }

    /// Events of a raw frame of Kalshi's.
    fn kalshi_frame(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let Some((place, text)) = raw(bytes) else {
            return;
        };
        let why = match self.kalshi.frame(text, &self.catalog, events) {
            Err(e) => chain(&e),
            Ok(counts) if counts.refused > 0 => "its values are unusable".to_owned(),
            Ok(counts) if counts.negative > 0 => {
                "takes more from a level than is there: the book is unknown until its next snapshot"
                    .to_owned()
            }
            Ok(counts) if counts.untracked > 0 => "its market is described by no file".to_owned(),
            Ok(_) => {
                self.unused += u64::from(events.is_empty());
                return;
            }
        };
        self.refused.push((place.0, place.1, why));
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
        let finer = |tick: &Price| grid.tick.is_some_and(|told| *tick < told);
        for tick in GRIDS.into_iter().filter(finer) {
            spec.tick = Some(tick);
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
                    // Where no grid was told, a book proves nothing.
                    let Some(tick) = grid.tick.and_then(|told| proven_grid(book, told)) else {
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
            grid.tick = Some(tick);
        }
    }
}

/// File, line and text of a raw frame.
fn raw(bytes: &[u8]) -> Option<((usize, u64), &str)> {
    let (file, rest) = bytes.split_first_chunk::<8>()?;
    let (line, text) = rest.split_first_chunk::<8>()?;
    let file = usize::try_from(u64::from_le_bytes(*file)).ok()?;
    let text = std::str::from_utf8(text).ok()?;
    Some(((file, u64::from_le_bytes(*line)), text))
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
