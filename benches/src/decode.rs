//! Row `decode`: recorded `price_change` frames, text to book, beside the official SDK's live path.
//!
//! Ours: `venue::polymarket::Decoder`, then `MarketData::apply` of every event (both books of the
//! market, ages, epochs, order of the venue's stamps). Theirs: `parse_if_interested`, the public
//! function that every message of its connection goes through, with every kind of market message of
//! interest, then its levels into two maps of `Decimal` (the SDK keeps no book; a map is what its users
//! write). The line without application is the decoder alone.
//!
//! The frames are those of a recording in `../shared/data` (or `PM_ARB_DATA`); without it one literal
//! frame of the same shape, said below the table. That decoding equals serde_json's is tested elsewhere.

use crate::Settings;
use crate::measure::{Case, Goal, Outcome, Row, interleave};
use pm_arb::catalog::Catalog;
use pm_arb::venue::polymarket::Decoder;
use pm_arb_core::event::{BookSnapshot, Event, Record};
use pm_arb_core::ids::{Nanos, Seq, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome as Side, SettlementRule};
use pm_arb_core::market_data::{MarketData, Touched};
use pm_arb_core::units::{Price, Qty};
use polymarket_client_sdk_v2::clob::types::Side as TheirSide;
use polymarket_client_sdk_v2::clob::ws::WsMessage;
use polymarket_client_sdk_v2::clob::ws::interest::MessageInterest;
use polymarket_client_sdk_v2::clob::ws::types::response::parse_if_interested;
use polymarket_client_sdk_v2::types::U256;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

const RECORDING: &str = "polymarket/ws_raw_btc5m_20260421/market-ws.jsonl.gz";
const MARKET: &str = "0x125149c5918fc5f8c6d34682f700a898a1a19ea4f4e2ae68ff4c5794ba657074";
const UP: &str = "45936375922793925919605092352922707796689801895417366600539442410775071099958";
const DOWN: &str = "86520121088881862182423437128238697252500151785248183602134095101149900014256";
/// Passes over all frames in one round.
const PASSES: usize = 4;
/// Most frames used.
const FRAMES_MAX: usize = 5_000;

/// Recorded frames, or one of the same shape.
fn frames(notes: &mut Vec<String>) -> Outcome<Vec<String>> {
    let root = std::env::var_os("PM_ARB_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let file = match std::fs::File::open(root.join(RECORDING)) {
        Ok(file) => file,
        Err(error) => {
            notes.push(format!(
                "decode: {RECORDING}: {error}; one literal frame instead"
            ));
            return Ok(vec![literal()]);
        }
    };
    let mut frames = Vec::new();
    for line in BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines() {
        let line = line?;
        let payload = line.split_once("\"payload\":").map(|(_, payload)| payload);
        let frame = payload.and_then(|payload| payload.strip_suffix('}'));
        let wanted = |frame: &&str| {
            frame.contains("\"event_type\":\"price_change\"") && frame.contains(MARKET)
        };
        frames.extend(frame.filter(wanted).map(str::to_owned));
        if frames.len() == FRAMES_MAX {
            break;
        }
    }
    // The recorder wrote its lines in no order; the venue's stamps tell it.
    frames.sort_by_cached_key(|frame| {
        let stamp = frame
            .split_once("\"timestamp\":\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        stamp.and_then(|(stamp, _)| stamp.parse::<u64>().ok())
    });
    let bytes: usize = frames.iter().map(String::len).sum();
    notes.push(format!(
        "decode: {} recorded price_change frames of {} bytes on average, {PASSES} passes a round",
        frames.len(),
        bytes / frames.len().max(1)
    ));
    Ok(frames)
}

/// A frame as the venue sends it: one order seen from both outcomes.
pub fn literal() -> String {
    format!(
        r#"{{"market":"{MARKET}","price_changes":[{{"asset_id":"{UP}","price":"0.86","size":"362.17","side":"BUY","hash":"425af2848c4f6462b5d2954448419abc0abac9ac","best_bid":"0.86","best_ask":"0.87"}},{{"asset_id":"{DOWN}","price":"0.14","size":"362.17","side":"SELL","hash":"a1e787af723e1ed926a99bf9c1676cf18167c829","best_bid":"0.13","best_ask":"0.14"}}],"timestamp":"1776808414710","event_type":"price_change"}}"#
    )
}

/// The market of the frames, without numbers.
pub fn market() -> MarketSpec {
    let outcome = |name: &str, token: &str| Side {
        instrument: pm_arb_core::ids::InstrumentId(0),
        name: name.to_owned(),
        native_id: token.to_owned(),
    };
    MarketSpec {
        id: pm_arb_core::ids::MarketId(0),
        venue: Venue::Polymarket,
        native_id: MARKET.to_owned(),
        slug: "btc-updown-5m-1776808200".to_owned(),
        question: String::new(),
        outcomes: vec![outcome("Up", UP), outcome("Down", DOWN)],
        tick: Some(Price(10_000)),
        lot: Qty(10_000),
        min_qty: Some(Qty(5_000_000)),
        fee: FeeSchedule::polymarket(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp::from_secs(1_776_808_200),
        closes_at: Timestamp::from_secs(1_776_808_500),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

/// Our side: decoder, catalogue and market data.
pub struct Ours {
    decoder: Decoder,
    catalog: Catalog,
    data: MarketData,
    touched: Touched,
    events: Vec<Event>,
    seq: u64,
}

impl Ours {
    /// With the market listed and both books known, empty.
    pub fn new() -> Outcome<Self> {
        let mut catalog = Catalog::default();
        let spec = catalog.list_market(market())?;
        let mut decoder = Decoder::new();
        decoder.track(&spec, false);
        let mut ours = Self {
            decoder,
            catalog,
            data: MarketData::new(),
            touched: Touched::default(),
            events: Vec::new(),
            seq: 0,
        };
        ours.reset(&spec)?;
        Ok(ours)
    }

    /// Starts the books anew: the venue's stamps of the next pass lie before those of the last one.
    fn reset(&mut self, spec: &MarketSpec) -> Outcome<()> {
        self.data = MarketData::new();
        self.apply(Event::MarketListed(Box::new(spec.clone())))?;
        for outcome in &spec.outcomes {
            self.apply(Event::Snapshot(Box::new(BookSnapshot {
                instrument: outcome.instrument,
                more: false,
                venue_time: Timestamp(0),
                bids: Vec::new(),
                asks: Vec::new(),
            })))?;
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) -> Outcome<()> {
        self.seq += 1;
        let record = Record {
            seq: Seq(self.seq),
            at: Timestamp::from_secs(1_776_808_300),
            event,
        };
        let applied = self.data.apply(&record, &mut self.touched);
        applied.map_err(|reason| format!("our book refuses an update: {reason}").into())
    }

    /// Decodes a frame; the events stay in `self.events`.
    fn decode(&mut self, frame: &str) -> Outcome<()> {
        self.events.clear();
        self.decoder.frame(frame, &self.catalog, &mut self.events)?;
        Ok(())
    }

    fn decode_and_apply(&mut self, frame: &str) -> Outcome<()> {
        self.decode(frame)?;
        let mut events = std::mem::take(&mut self.events);
        let applied = events.drain(..).try_for_each(|event| self.apply(event));
        self.events = events;
        applied
    }

    fn tops(&self) -> Vec<String> {
        let spec = self.data.markets().next().map(|market| &market.spec);
        let books = spec.iter().flat_map(|spec| &spec.outcomes);
        let books = books.filter_map(|outcome| self.data.book(outcome.instrument));
        let top =
            |best: Option<(Price, Qty)>| best.map_or("-".to_owned(), |(p, q)| format!("{p}x{q}"));
        books
            .map(|book| format!("{}/{}", top(book.best_bid()), top(book.best_ask())))
            .collect()
    }
}

/// Levels by price, bids and asks, of one token.
type TheirBook = [BTreeMap<Decimal, Decimal>; 2];

fn theirs_apply(message: &WsMessage, books: &mut HashMap<U256, TheirBook>) -> Outcome<()> {
    let WsMessage::PriceChange(batch) = message else {
        return Err("the SDK read something else than a price change".into());
    };
    for change in &batch.price_changes {
        let [bids, asks] = books.entry(change.asset_id).or_default();
        let side = match change.side {
            TheirSide::Buy => bids,
            _ => asks,
        };
        match change.size {
            Some(size) if !size.is_zero() => side.insert(change.price, size),
            _ => side.remove(&change.price),
        };
    }
    Ok(())
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let frames = frames(notes)?;
    let count = (frames.len() * PASSES) as f64;
    let spec = Catalog::default().list_market(market())?;
    let mut ours = Ours::new()?;
    let mut alone = Ours::new()?;
    let interest = MessageInterest::MARKET;
    let mut cases = [
        Case::new("ours", |watch| {
            for _ in 0..PASSES {
                ours.reset(&spec)?;
                watch.time(|| {
                    frames
                        .iter()
                        .try_for_each(|frame| ours.decode_and_apply(frame))
                })?;
            }
            Ok(())
        }),
        Case::new("SDK", |watch| {
            for _ in 0..PASSES {
                let mut books = HashMap::new();
                watch.time(|| -> Outcome<()> {
                    for frame in &frames {
                        for message in parse_if_interested(frame.as_bytes(), &interest)? {
                            theirs_apply(&message, &mut books)?;
                        }
                    }
                    Ok(())
                })?;
            }
            Ok(())
        }),
        Case::new("ours, decoding only", |watch| {
            watch.time(|| {
                (0..PASSES)
                    .try_for_each(|_| frames.iter().try_for_each(|frame| alone.decode(frame)))
            })
        }),
        Case::new("SDK, decoding only", |watch| {
            watch.time(|| -> Outcome<()> {
                for frame in frames.iter().cycle().take(frames.len() * PASSES) {
                    std::hint::black_box(parse_if_interested(frame.as_bytes(), &interest)?);
                }
                Ok(())
            })
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    drop(cases);
    let [both, sdk, decoded, sdk_decoded] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    notes.push(format!(
        "decode: tops of our two books after the last frame: {}",
        ours.tops().join(" ")
    ));
    let row = |what, ours, theirs, goal| Row::faster(what, (ours, theirs), count, goal);
    Ok(vec![
        row(
            "price_change frame decoded and applied beside the official SDK's live path",
            both,
            sdk,
            Goal::AtLeast(4.0),
        ),
        row("the same, decoding only", decoded, sdk_decoded, Goal::None),
    ])
}
