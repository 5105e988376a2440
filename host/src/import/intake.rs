//! Where a format's reader puts what it read: messages, markets, price feeds, refused lines.
//!
//! Numbers in messages are provisional (outcome `n` of draft `d` is instrument `2d + n`); the real
//! ones are given in the order of the journal, when everything is known.

use super::draft::Draft;
use super::files::Lines;
use super::sort::Sorter;
use super::{Format, ImportError, REFUSED_NAMED, Refusal};
use crate::journal::codec;
use crate::rulebook::Rules;
use crate::venue::polymarket::gamma;
use pm_arb_core::event::Event;
use pm_arb_core::ids::{InstrumentId, OracleId, Timestamp};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::Rulebook;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A payload that holds events.
pub(super) const EVENTS: u8 = b'E';
/// A payload that holds a raw frame of Polymarket's market channel.
pub(super) const FRAME: u8 = b'F';
/// A payload that holds a raw frame of Kalshi's WebSocket.
pub(super) const KALSHI_FRAME: u8 = b'K';

/// A price feed of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    pub source: String,
    pub symbol: String,
    /// The feed that is used instead of this one whenever that has values.
    pub unless: Option<OracleId>,
    /// Values it has.
    pub ticks: u64,
    /// Final candles it has.
    pub candles: u64,
}

/// What was read so far.
pub(super) struct Intake {
    pub format: Format,
    pub sorter: Sorter,
    pub drafts: Vec<Draft>,
    by_key: HashMap<String, usize>,
    pub feeds: Vec<Feed>,
    pub files: Vec<PathBuf>,
    file: usize,
    pub digest: Sha256,
    pub lines: u64,
    pub unused: u64,
    pub refused: Vec<Refusal>,
    pub refused_count: u64,
    /// Sizes of which a part below a millionth was cut.
    pub sizes_cut: u64,
    /// Polls that show neither a bid nor an ask.
    pub empty_polls: u64,
    /// Rules for what the recording does not say.
    pub rules: Arc<Rulebook>,
    /// Markets that were not listed, by reason.
    pub left_out: BTreeMap<Reason, u64>,
    scratch: Vec<u8>,
}

impl Intake {
    pub fn new(format: Format, temp: &Path, files: Vec<PathBuf>, rules: Arc<Rulebook>) -> Self {
        let mut digest = Sha256::new();
        digest.update(format.as_str());
        Self {
            format,
            sorter: Sorter::new(temp),
            drafts: Vec::new(),
            by_key: HashMap::new(),
            feeds: Vec::new(),
            files,
            file: 0,
            digest,
            lines: 0,
            unused: 0,
            refused: Vec::new(),
            refused_count: 0,
            sizes_cut: 0,
            empty_polls: 0,
            rules,
            left_out: BTreeMap::new(),
            scratch: Vec::new(),
        }
    }

    /// The lines that follow are of that file.
    pub fn begin_file(&mut self, index: usize, path: &Path) {
        self.file = index;
        let name = path.file_name().unwrap_or_default();
        self.digest.update(name.as_encoded_bytes());
    }

    /// The next line that can be used; those before it that can not are refused.
    pub fn next_line(&mut self, lines: &mut Lines) -> Option<String> {
        loop {
            match lines.next()? {
                Ok(text) => {
                    self.note_line(text);
                    return Some(text.to_owned());
                }
                Err(why) => self.refuse(lines.line(), why),
            }
        }
    }

    /// A line was read: the run's identity is the hash of all of them.
    pub fn note_line(&mut self, text: &str) {
        self.digest.update(text);
        self.digest.update("\n");
    }

    /// The present file's name, without its folders.
    pub fn file_name(&self) -> String {
        self.files
            .get(self.file)
            .and_then(|p| p.file_name())
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Counts a line of the present file that is not used, and keeps its name.
    pub fn refuse(&mut self, line: u64, why: impl Into<String>) {
        self.refuse_in(self.file, line, why);
    }

    /// The same, for a line of any file.
    pub fn refuse_in(&mut self, file: usize, line: u64, why: impl Into<String>) {
        self.refused_count += 1;
        if self.refused.len() < REFUSED_NAMED {
            self.refused.push(Refusal {
                file: self.files.get(file).cloned().unwrap_or_default(),
                line,
                why: why.into(),
            });
        }
    }

    /// Counts a market whose description the recording contradicts: the run tells of it.
    pub fn contradicts(&mut self, why: impl Into<String>) -> String {
        let reason = Reason::ContradictoryMarket;
        *self.left_out.entry(reason).or_default() += 1;
        why.into()
    }

    /// The specification in a market object, by the rules of its day. One that can not be listed is
    /// counted: the run tells of it.
    pub fn gamma(&mut self, object: &Value) -> Result<MarketSpec, String> {
        let rules = Arc::clone(&self.rules);
        let rules = Rules::of_its_day(&rules);
        let read = gamma::market(object, rules, |source, symbol| self.oracle(source, symbol));
        read.map_err(|error| {
            *self.left_out.entry(error.reason).or_default() += 1;
            error.to_string()
        })
    }

    /// The draft with that key.
    pub fn market(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The draft with that key, made when it is new.
    pub fn market_or(&mut self, key: &str, make: impl FnOnce(&mut Self) -> Draft) -> usize {
        if let Some(index) = self.market(key) {
            return index;
        }
        let draft = make(self);
        let index = self.drafts.len();
        self.drafts.push(draft);
        self.by_key.insert(key.to_owned(), index);
        index
    }

    /// The draft at `index`.
    pub fn draft(&mut self, index: usize) -> Option<&mut Draft> {
        self.drafts.get_mut(index)
    }

    /// The provisional number of a feed.
    pub fn oracle(&mut self, source: &str, symbol: &str) -> OracleId {
        self.feed(source, symbol, None)
    }

    /// The provisional number of a stand-in with the same name, used when `first` has no value at all.
    pub fn stand_in(&mut self, source: &str, symbol: &str, first: OracleId) -> OracleId {
        self.feed(source, symbol, Some(first))
    }

    fn feed(&mut self, source: &str, symbol: &str, unless: Option<OracleId>) -> OracleId {
        let known = self
            .feeds
            .iter()
            .position(|f| f.source == source && f.symbol == symbol && f.unless == unless);
        let index = known.unwrap_or_else(|| {
            self.feeds.push(Feed {
                source: source.to_owned(),
                symbol: symbol.to_owned(),
                unless,
                ticks: 0,
                candles: 0,
            });
            self.feeds.len() - 1
        });
        OracleId(index as u32)
    }

    /// The provisional number of an outcome.
    pub fn instrument(draft: usize, outcome: usize) -> InstrumentId {
        InstrumentId((draft * 2 + outcome) as u32)
    }

    /// One atomic message.
    pub fn message(&mut self, at: Timestamp, events: &[Event]) -> Result<(), ImportError> {
        for event in events {
            let (oracle, is_tick) = match event {
                Event::OracleTick(tick) => (tick.oracle, true),
                Event::Candle(candle) => (candle.oracle, false),
                _ => continue,
            };
            if let Some(feed) = self.feeds.get_mut(oracle.index()) {
                feed.ticks += u64::from(is_tick);
                feed.candles += u64::from(!is_tick);
            }
        }
        let scratch = &mut self.scratch;
        let mut failed = None;
        self.sorter.push(at, |out| {
            out.push(EVENTS);
            for event in events {
                scratch.clear();
                if let Err(e) = codec::encode(event, scratch) {
                    failed = Some(e);
                    return;
                }
                out.extend_from_slice(&(scratch.len() as u32).to_le_bytes());
                out.extend_from_slice(scratch);
            }
        })?;
        match failed {
            Some(e) => Err(crate::journal::JournalError::Encode(e).into()),
            None => Ok(()),
        }
    }

    /// One frame of the market channel, decoded when everything is in order.
    pub fn frame(&mut self, at: Timestamp, line: u64, text: &str) -> Result<(), ImportError> {
        self.raw(FRAME, at, line, text)
    }

    /// The same, of Kalshi's.
    pub fn kalshi_frame(
        &mut self,
        at: Timestamp,
        line: u64,
        text: &str,
    ) -> Result<(), ImportError> {
        self.raw(KALSHI_FRAME, at, line, text)
    }

    fn raw(&mut self, kind: u8, at: Timestamp, line: u64, text: &str) -> Result<(), ImportError> {
        let file = self.file as u64;
        self.sorter.push(at, |out| {
            out.push(kind);
            out.extend_from_slice(&file.to_le_bytes());
            out.extend_from_slice(&line.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        })
    }
}
