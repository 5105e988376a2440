//! The way through `serde_json`: every kind of event, in any form that is valid JSON.
//!
//! Owns which messages are known, and what is refused of them.

use super::super::hash::BookText;
use super::super::{scan, wire};
use super::{Book, Decoder, FrameCounts, FrameError, TRADES_KEPT, refuse};
use crate::catalog::Catalog;
use pm_arb_core::event::{BookSide, Event, LevelChange, Print, Resolution};
use pm_arb_core::ids::{InstrumentId, Venue};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{ParseUnitError, Price, Qty};
use serde::Deserialize;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

impl Decoder {
    /// The way through `serde_json`, from object `done` on.
    pub(super) fn thorough(
        &mut self,
        text: &str,
        done: usize,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), FrameError> {
        match serde_json::from_str(text).map_err(FrameError::NotJson)? {
            Value::Array(list) => {
                for event in list.iter().skip(done) {
                    self.event(event, ids, out, counts);
                }
            }
            event @ Value::Object(_) => self.event(&event, ids, out, counts),
            Value::String(_) => return Err(FrameError::NotEvents { found: "a string" }),
            Value::Number(_) => return Err(FrameError::NotEvents { found: "a number" }),
            Value::Bool(_) => return Err(FrameError::NotEvents { found: "a boolean" }),
            Value::Null => return Err(FrameError::NotEvents { found: "null" }),
        }
        Ok(())
    }

    fn event(
        &mut self,
        event: &Value,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        let known = match event.get("event_type").and_then(Value::as_str) {
            Some("book") => wire::Book::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|book| self.wire_book(&book, ids, out, counts)),
            Some("price_change") => wire::PriceChange::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|message| self.wire_changes(&message, ids, out, counts)),
            Some("last_trade_price") => wire::LastTrade::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|trade| self.trade(&trade, ids, out, counts)),
            Some("tick_size_change") => wire::TickSizeChange::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|change| self.tick_size(&change, ids, out, counts)),
            Some("market_resolved") => wire::MarketResolved::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|resolved| resolution(&resolved, ids, out, counts)),
            Some("best_bid_ask" | "new_market") => {
                counts.ignored += 1;
                Ok(())
            }
            Some(_) => {
                counts.unknown += 1;
                Ok(())
            }
            None => Err(Reason::MalformedFrame),
        };
        if let Err(reason) = known {
            refuse(reason, out, counts);
            // Whatever it was about: if it names a token of ours, that book can not be known now.
            let named = event.get("asset_id").and_then(Value::as_str);
            let entries = event.get("price_changes").and_then(Value::as_array);
            let nested = entries.into_iter().flatten();
            let tokens = nested.filter_map(|entry| entry.get("asset_id")?.as_str());
            for token in named.into_iter().chain(tokens) {
                if let Some(instrument) = self.tokens.instrument(token, ids) {
                    self.distrust(instrument, "a message about this book was unusable", out);
                }
            }
        }
    }

    fn wire_changes(
        &mut self,
        message: &wire::PriceChange,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let venue_time = scan::stamp(&message.timestamp).ok_or(Reason::MalformedFrame)?;
        for change in &message.price_changes {
            let asset = change.asset_id.as_ref().or(message.asset_id.as_ref());
            let asset = asset.ok_or(Reason::MalformedFrame)?;
            let Some(instrument) = self.tokens.instrument(asset, ids) else {
                counts.untracked += 1;
                continue;
            };
            match level(&change.price, &change.size).and_then(|l| Ok((l, side(&change.side)?))) {
                Ok(((price, qty), side)) => {
                    counts.levels += 1;
                    out.push(Event::Level(LevelChange {
                        instrument,
                        side,
                        more: true,
                        price,
                        qty,
                        venue_time,
                    }));
                }
                Err(reason) => {
                    refuse(reason, out, counts);
                    self.distrust(instrument, "a level of this book was unusable", out);
                }
            }
        }
        Ok(())
    }

    fn wire_book(
        &mut self,
        frame: &wire::Book,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let levels = |side: &[wire::Level]| -> Result<Vec<_>, Reason> {
            side.iter().map(|l| level(&l.price, &l.size)).collect()
        };
        let (bids, asks) = (
            wire::canonical(&frame.bids, true),
            wire::canonical(&frame.asks, false),
        );
        let book = Book {
            text: BookText {
                market: &frame.market,
                asset_id: &frame.asset_id,
                timestamp: &frame.timestamp,
                hash: frame.hash.as_deref().unwrap_or_default(),
                bids: &bids,
                asks: &asks,
                tick_size: frame.tick_size.as_deref(),
                last_trade_price: frame.last_trade_price.as_deref(),
            },
            hashed: frame.hash.is_some(),
            venue_time: scan::stamp(&frame.timestamp).ok_or(Reason::MalformedFrame)?,
            bids: levels(&frame.bids)?,
            asks: levels(&frame.asks)?,
        };
        self.book(book, ids, out, counts);
        Ok(())
    }

    fn trade(
        &mut self,
        trade: &wire::LastTrade,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let (price, qty) = level(&trade.price, &trade.size)?;
        let taker_bought = side(&trade.side)? == BookSide::Bid;
        let venue_time = scan::stamp(&trade.timestamp).ok_or(Reason::MalformedFrame)?;
        if let Some(market) = &trade.market {
            self.verifier.traded(market, price);
        }
        let Some(instrument) = self.tokens.instrument(&trade.asset_id, ids) else {
            counts.untracked += 1;
            return Ok(());
        };
        if let Some(hash) = &trade.transaction_hash {
            let mut key = DefaultHasher::new();
            (hash, instrument, price, qty, taker_bought).hash(&mut key);
            let key = key.finish();
            if self.trades.contains(&key) {
                counts.repeated += 1;
                out.push(Event::Refused {
                    venue: Some(Venue::Polymarket),
                    reason: Reason::DuplicatePrint,
                });
                return Ok(());
            }
            if self.trades.len() == TRADES_KEPT {
                self.trades.pop_front();
            }
            self.trades.push_back(key);
        }
        counts.prints += 1;
        out.push(Event::Print(Print {
            instrument,
            price,
            qty,
            taker_bought,
            venue_time,
        }));
        Ok(())
    }

    fn tick_size(
        &mut self,
        change: &wire::TickSizeChange,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let tick = Price::parse(&change.new_tick_size).map_err(unreadable)?;
        if !tick.is_tradable() {
            return Err(Reason::PriceOutOfRange);
        }
        if let Some(market) = &change.market {
            self.verifier.tick_changed(market, tick);
        }
        match self.tokens.instrument(&change.asset_id, ids) {
            Some(instrument) => {
                self.tell_tick(&change.asset_id, instrument, tick, out, counts);
                self.note_untrusted(instrument);
            }
            None => counts.untracked += 1,
        }
        Ok(())
    }
}

fn unreadable(_: ParseUnitError) -> Reason {
    Reason::MalformedFrame
}

fn level(price: &str, size: &str) -> Result<(Price, Qty), Reason> {
    let price = Price::parse(price).map_err(unreadable)?;
    let qty = Qty::parse(size).map_err(unreadable)?;
    if !price.is_tradable() {
        return Err(Reason::PriceOutOfRange);
    }
    if qty < Qty::ZERO {
        return Err(Reason::MalformedFrame);
    }
    Ok((price, qty))
}

fn side(text: &str) -> Result<BookSide, Reason> {
    match text {
        "BUY" => Ok(BookSide::Bid),
        "SELL" => Ok(BookSide::Ask),
        _ => Err(Reason::UnknownEnum),
    }
}

fn resolution(
    resolved: &wire::MarketResolved,
    ids: &Catalog,
    out: &mut Vec<Event>,
    counts: &mut FrameCounts,
) -> Result<(), Reason> {
    let Some(market) = ids.market(Venue::Polymarket, &resolved.market) else {
        counts.untracked += 1;
        return Ok(());
    };
    let instrument = |token: &String| ids.instrument(Venue::Polymarket, token);
    let outcomes: Option<Vec<InstrumentId>> = resolved.assets_ids.iter().map(instrument).collect();
    let mut outcomes = outcomes.ok_or(Reason::UnknownInstrument)?;
    // The catalog numbers the outcomes of a market in their order; the message need not keep it.
    outcomes.sort_unstable();
    let winner = instrument(&resolved.winning_asset_id).ok_or(Reason::UnknownInstrument)?;
    if outcomes.len() != 2 || !outcomes.contains(&winner) {
        return Err(Reason::MalformedFrame);
    }
    let pays = |outcome: InstrumentId| match outcome == winner {
        true => Price::DOLLAR,
        false => Price::ZERO,
    };
    counts.resolutions += 1;
    out.push(Event::Resolved(Box::new(Resolution {
        market,
        payouts: outcomes.into_iter().map(pays).collect(),
        evidence: "market_resolved".to_owned(),
    })));
    Ok(())
}
