//! Markets as a recording tells of them, until they can be listed.
//!
//! A recording may name a market's tokens, its outcome or its end long after its first book. A draft
//! collects what is told; what is never told is derived from the market's slug and the venue's rules
//! of that day, or left honest: an outcome whose token the recording does not name gets an id of the
//! form `<market>:down` that no venue message carries.

use crate::rulebook::Rules;
use crate::venue::polymarket::gamma;
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::rulebook::{Family, Question, Rulebook, SettlesBy};
use pm_arb_core::units::{ONE, Price, Qty};
use serde_json::Value;

/// The step of sizes while no rule says: every size.
const ANY_SIZE: Qty = Qty(1);

/// An up-or-down window, named by its slug: `btc-updown-5m-1784850900`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub slug: String,
    pub asset: String,
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
}

impl Window {
    /// Finds the slug at the start of `text` (a file name may go on behind it).
    pub fn find(text: &str) -> Option<Self> {
        let (asset, rest) = text.split_once("-updown-")?;
        let (span, rest) = rest.split_once('-')?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let start: u64 = rest.get(..end).filter(|d| d.len() == 10)?.parse().ok()?;
        let secs = match span {
            "5m" => 300,
            "15m" => 900,
            "4h" => 14_400,
            _ => return None,
        };
        let letters = !asset.is_empty() && asset.bytes().all(|b| b.is_ascii_lowercase());
        letters.then(|| Self {
            slug: format!("{asset}-updown-{span}-{start}"),
            asset: asset.to_owned(),
            opens_at: Timestamp::from_secs(start),
            closes_at: Timestamp::from_secs(start + secs),
        })
    }
}

/// Most words on the outcome of one market; a line with one more is refused.
const WORDS_MAX: usize = 16;

/// An outcome as the recording states it.
#[derive(Debug, Clone)]
pub(super) struct Published {
    /// When it became known; `None` when the recording does not say.
    pub at: Option<Timestamp>,
    pub payouts: Vec<Price>,
    pub evidence: String,
}

impl Published {
    /// Accepts only what a venue pays: 1 and 0, 0 and 1, or one half each.
    pub fn new(
        at: Option<Timestamp>,
        payouts: [Price; 2],
        evidence: impl Into<String>,
    ) -> Result<Self, String> {
        const HALF: Price = Price(ONE / 2);
        let known = [
            [Price::DOLLAR, Price::ZERO],
            [Price::ZERO, Price::DOLLAR],
            [HALF, HALF],
        ];
        if !known.contains(&payouts) {
            let [a, b] = payouts;
            return Err(format!(
                "payouts {a} and {b} are neither 1/0, 0/1 nor 0.5/0.5"
            ));
        }
        Ok(Self {
            at,
            payouts: payouts.to_vec(),
            evidence: evidence.into(),
        })
    }
}

/// A market in the making. Its `spec` carries provisional numbers.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub spec: MarketSpec,
    /// Whether it is known which outcome is which.
    pub sides_known: bool,
    /// Tokens in the order of their first message, when `spec` does not name them.
    pub tokens_seen: Vec<String>,
    /// First and last message.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Listed even when no message is about it.
    pub keep: bool,
    /// What the recording says came of it; more than one word where it contradicts itself.
    pub published: Vec<Published>,
    /// The venue's own object, when the recording holds it.
    pub object: Option<Box<Value>>,
}

impl Draft {
    /// A market of which only the slug is known: the rules of its day fill in the rest. `oracle` is
    /// the provisional number of its settlement source.
    pub fn of_window(window: &Window, oracle: OracleId, book: &Rulebook) -> Self {
        let mut draft = Self::of_condition("");
        let (venue, family, at) = (Venue::Polymarket, Family::Crypto, window.opens_at);
        let secs = window.closes_at.secs() - window.opens_at.secs();
        let settles = Question::window(secs).and_then(|q| book.settles_on(venue, q, at).says);
        let settlement = match settles.map(|settles| settles.by) {
            Some(SettlesBy::Mean { lookback_secs }) => SettlementRule::UpDownTwap {
                oracle,
                lookback_secs,
                strike: None,
            },
            Some(SettlesBy::Value) => SettlementRule::UpDown {
                oracle,
                strike: None,
            },
            _ => SettlementRule::VenueOnly,
        };
        let fee = book.taker_fee_on(venue, family, at);
        let maker_fee = book.maker_fee_on(venue, family, at).says;
        draft.spec = MarketSpec {
            slug: window.slug.clone(),
            question: window.slug.clone(),
            // Finer ones are told by the recording, or shown by its books.
            tick: book.tick_on(venue, family, at).says.map(|grid| grid.tick),
            lot: book.lot_on(venue, family, at).says.unwrap_or(ANY_SIZE),
            min_qty: book.min_qty_on(venue, family, at).says,
            fee: fee.says.unwrap_or(FeeSchedule::Unknown),
            maker_fee: maker_fee.unwrap_or(FeeSchedule::Unknown),
            fee_rule: fee.rule,
            taker_delay: book.taker_delay_on(venue, family, at).says,
            opens_at: window.opens_at,
            closes_at: window.closes_at,
            settlement,
            pair_key: Some(window.slug.clone()),
            ..draft.spec
        };
        draft
    }

    /// A market of which only the venue's id is known so far. It is listed only when something tells
    /// its window.
    pub fn of_condition(condition: &str) -> Self {
        let outcome = |name: &str| Outcome {
            instrument: InstrumentId(0),
            name: name.to_owned(),
            native_id: String::new(),
        };
        Self::of_spec(MarketSpec {
            id: MarketId(0),
            venue: Venue::Polymarket,
            native_id: condition.to_owned(),
            slug: String::new(),
            question: String::new(),
            outcomes: vec![outcome("Up"), outcome("Down")],
            tick: None,
            lot: ANY_SIZE,
            min_qty: None,
            fee: FeeSchedule::Unknown,
            maker_fee: FeeSchedule::Unknown,
            fee_rule: "unknown: nothing tells the market's window".to_owned(),
            taker_delay: None,
            opens_at: Timestamp(0),
            closes_at: Timestamp(0),
            settlement: SettlementRule::VenueOnly,
            exclusive_set: None,
            pair_key: None,
        })
    }

    /// Tells the window of a market that was known by its id only.
    pub fn tell_window(&mut self, window: &Window, oracle: OracleId, book: &Rulebook) {
        let told = Self::of_window(window, oracle, book).spec;
        self.spec = MarketSpec {
            native_id: std::mem::take(&mut self.spec.native_id),
            outcomes: std::mem::take(&mut self.spec.outcomes),
            ..told
        };
    }

    /// Notes a token of a message; `false` when the market has two others already.
    pub fn see_token(&mut self, token: &str) -> bool {
        if self.tokens_seen.iter().any(|t| t == token) {
            return true;
        }
        let room = self.tokens_seen.len() < self.spec.outcomes.len();
        if room {
            self.tokens_seen.push(token.to_owned());
        }
        room
    }

    /// A market that the recording specifies itself.
    pub fn of_spec(spec: MarketSpec) -> Self {
        Self {
            spec,
            sides_known: true,
            tokens_seen: Vec::new(),
            span: None,
            keep: false,
            published: Vec::new(),
            object: None,
        }
    }

    /// Names the outcomes' tokens.
    pub fn name_tokens(&mut self, up: &str, down: &str) {
        for (outcome, token) in self.spec.outcomes.iter_mut().zip([up, down]) {
            token.clone_into(&mut outcome.native_id);
        }
    }

    /// A message of that time is about it.
    pub fn touch(&mut self, at: Timestamp) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Whether it belongs to the recording.
    pub fn is_listed(&self) -> bool {
        (self.keep || self.span.is_some()) && self.spec.closes_at > Timestamp(0)
    }

    /// When it is listed: with its first message or the opening of its window, whichever is earlier.
    pub fn listed_at(&self) -> Timestamp {
        match self.span {
            Some((first, _)) => first.min(self.spec.opens_at),
            None => self.spec.opens_at,
        }
    }

    /// Takes the recording's word on its outcome. The same word twice is one; another one is kept as
    /// well: the engine tells of the contradiction.
    pub fn publish(&mut self, word: Published) -> Result<(), String> {
        if self
            .published
            .last()
            .is_some_and(|last| last.payouts == word.payouts)
        {
            return Ok(());
        }
        if self.published.len() >= WORDS_MAX {
            return Err(format!(
                "its outcome changes for more than the {WORDS_MAX}th time"
            ));
        }
        self.published.push(word);
        Ok(())
    }

    /// When its outcome is told. Where the recording does not say, never before the close nor before
    /// the last message about it.
    pub fn resolved_at(&self, published: &Published) -> Timestamp {
        let last = self.span.map_or(Timestamp(0), |(_, last)| last);
        published
            .at
            .unwrap_or_else(|| self.spec.closes_at.max(last))
            .max(self.listed_at())
    }

    /// A market without a window gets the rules of the day on which the recording begins to tell of
    /// it, which is known only now: its end may lie months behind.
    fn rules_of_its_day(&mut self, book: &Rulebook) {
        let (Some(object), Some((since, _))) = (&self.object, self.span) else {
            return;
        };
        let any = |_: &str, _: &str| OracleId(0);
        if self.spec.opens_at != Timestamp(0) {
            return;
        }
        if let Ok(told) = gamma::market(object, Rules { book, since }, any) {
            let spec = std::mem::replace(&mut self.spec, told);
            // The sources keep the numbers they were given.
            self.spec.settlement = spec.settlement;
        }
    }

    /// Fills in what the recording never told.
    pub fn complete(&mut self, book: &Rulebook) {
        self.rules_of_its_day(book);
        let spec = &mut self.spec;
        if spec.native_id.is_empty() {
            spec.native_id.clone_from(&spec.slug);
        }
        let named = spec.outcomes.iter().all(|o| !o.native_id.is_empty());
        if !named && !self.tokens_seen.is_empty() {
            // Which of them is Up, the recording does not say: nothing may be decided from it.
            self.sides_known = false;
            for (outcome, token) in spec.outcomes.iter_mut().zip(&self.tokens_seen) {
                outcome.native_id.clone_from(token);
            }
        }
        let endings = if self.sides_known {
            ["up", "down"]
        } else {
            spec.settlement = SettlementRule::VenueOnly;
            spec.pair_key = None;
            for (outcome, name) in spec.outcomes.iter_mut().zip(["first token", "other token"]) {
                name.clone_into(&mut outcome.name);
            }
            ["first", "other"]
        };
        for (outcome, ending) in spec.outcomes.iter_mut().zip(endings) {
            if outcome.native_id.is_empty() {
                outcome.native_id = format!("{}:{ending}", spec.native_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_found_in_slugs_and_file_names() {
        let window = Window::find("btc-updown-15m-1790586000.jsonl.gz").unwrap();
        assert_eq!(window.slug, "btc-updown-15m-1790586000");
        assert_eq!(window.asset, "btc");
        assert_eq!(window.closes_at, Timestamp::from_secs(1_790_586_900));
        for text in [
            "btc-updown-5m-",
            "btc-updown-5m-17",
            "btc-updown-7m-1790586000",
            "-updown-5m-1790586000",
            "B-updown-5m-1790586000",
            "markets.jsonl",
        ] {
            assert_eq!(Window::find(text), None, "{text}");
        }
    }
}
