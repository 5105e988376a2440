//! Orders of ours that are on their way or rest, by tag.
//!
//! A tag is the time of its order, or one more than the last: two instances of a strategy never use the
//! same one, so a fill of an order that an earlier instance left behind is not taken for one of these.

use crate::state::{self, Writer};
use crate::{Event, Host, Intent, IntentLeg, Price, Qty, Rounding, Timestamp};
use std::collections::BTreeMap;

/// An order whose end nobody told of is given up this long after its time.
const SILENCE: u64 = 30_000_000_000;

/// An order with one leg that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What.
    pub instrument: u32,
    /// Bought, or sold.
    pub buy: bool,
    /// At no worse than.
    pub limit: i64,
    /// Shares that are still wanted.
    pub left: i64,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it ends by itself at the latest.
    pub ends_at: Timestamp,
    /// Whether a cancel is on its way.
    pub cancelled: bool,
}

/// All of them. How many there may be is the strategy's to bound.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Orders {
    last_tag: u64,
    open: BTreeMap<u64, Open>,
}

impl Orders {
    /// Submits an intent of one leg under a tag of its own, which is the answer; `None` when it has
    /// another number of legs or the host did not take it.
    pub fn submit(
        &mut self,
        now: Timestamp,
        ends_at: Timestamp,
        mut intent: Intent,
        host: &mut dyn Host,
    ) -> Option<u64> {
        let [
            IntentLeg {
                instrument,
                buy,
                limit,
            },
        ] = intent.legs[..]
        else {
            return None;
        };
        intent.tag = now.max(self.last_tag.saturating_add(1));
        if !host.submit(&intent) {
            return None;
        }
        self.last_tag = intent.tag;
        let order = Open {
            instrument,
            buy,
            limit,
            left: intent.qty,
            sent_at: now,
            ends_at,
            cancelled: false,
        };
        self.open.insert(intent.tag, order);
        Some(intent.tag)
    }

    /// Cancels one, once. It is open until the host says that it ended.
    pub fn cancel(&mut self, tag: u64, host: &mut dyn Host) {
        if let Some(order) = self.open.get_mut(&tag)
            && !order.cancelled
        {
            order.cancelled = host.cancel(tag);
        }
    }

    /// Learns from fills and refusals; the order that the event ended.
    pub fn hear(&mut self, event: &Event) -> Option<Open> {
        match event {
            Event::Filled(fill) => {
                let order = self.open.get_mut(&fill.tag)?;
                order.left = order.left.saturating_sub(fill.qty);
                let over = order.left <= 0;
                over.then(|| self.open.remove(&fill.tag)).flatten()
            }
            Event::Refused(refusal) => self.open.remove(&refusal.tag),
            _ => None,
        }
    }

    /// Forgets an order that takes what it can and has been answered.
    pub fn forget(&mut self, tag: u64) -> Option<Open> {
        self.open.remove(&tag)
    }

    /// Forgets those that must have ended long ago.
    pub fn expire(&mut self, now: Timestamp) {
        self.open
            .retain(|_, order| order.ends_at.saturating_add(SILENCE) > now);
    }

    /// Those that have not ended, with their tags.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Open)> {
        self.open.iter().map(|(tag, order)| (*tag, order))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What the purchases of an instrument may still cost, without fees.
    #[must_use]
    pub fn pledged(&self, instrument: u32) -> i64 {
        let buys = self.open.values();
        let buys = buys.filter(|order| order.buy && order.instrument == instrument);
        buys.fold(0, |sum, order| {
            let cost = Price(order.limit).times(Qty(order.left), Rounding::Up);
            sum.saturating_add(cost.map_or(i64::MAX, i64::from))
        })
    }

    /// Writes `order TAG INSTRUMENT buy|sell LIMIT LEFT SENT ENDS open|cancelled` lines.
    pub fn write(&self, out: &mut Writer) {
        for (tag, order) in &self.open {
            let side = if order.buy { "buy" } else { "sell" };
            let how = if order.cancelled { "cancelled" } else { "open" };
            let Open {
                instrument,
                limit,
                left,
                sent_at,
                ends_at,
                ..
            } = order;
            out.line(format_args!(
                "order {tag} {instrument} {side} {limit} {left} {sent_at} {ends_at} {how}"
            ));
        }
    }

    /// Reads the words after `order`.
    pub fn read(&mut self, words: &[&str]) -> Result<(), String> {
        let [tag, instrument, side, limit, left, sent_at, ends_at, how] = words else {
            return Err(state::unknown(words));
        };
        let (buy, cancelled) = match (*side, *how) {
            ("buy", "open") => (true, false),
            ("buy", "cancelled") => (true, true),
            ("sell", "open") => (false, false),
            ("sell", "cancelled") => (false, true),
            _ => return Err(state::unknown(words)),
        };
        let order = Open {
            instrument: state::number(instrument)?,
            buy,
            limit: state::number(limit)?,
            left: state::number(left)?,
            sent_at: state::number(sent_at)?,
            ends_at: state::number(ends_at)?,
            cancelled,
        };
        let tag = state::number(tag)?;
        self.last_tag = self.last_tag.max(tag);
        self.open.insert(tag, order);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::ONE;
    use crate::testing::{Recorder, fill, refusal};
    use crate::{Fill, TimeInForce};

    fn buy(qty: i64) -> Intent {
        Intent {
            opportunity: None,
            tag: 0,
            legs: vec![IntentLeg {
                instrument: 7,
                buy: true,
                limit: 400_000,
            }],
            qty,
            time_in_force: TimeInForce::Gtc,
            expected_edge: 10_000,
        }
    }

    #[test]
    fn an_order_is_open_until_it_is_filled_or_refused() {
        let (mut orders, mut host) = (Orders::default(), Recorder::default());
        let first = orders.submit(50, 100, buy(10 * ONE), &mut host).unwrap();
        let second = orders.submit(50, 100, buy(20 * ONE), &mut host).unwrap();
        assert_eq!((first, second), (50, 51), "no tag is used twice");
        assert_eq!(host.intents[1].tag, 51);
        assert_eq!(orders.pledged(7), 12 * ONE);
        let part = |tag, qty| {
            Event::Filled(Fill {
                tag,
                ..fill(7, true, qty, 400_000, 0)
            })
        };
        assert_eq!(orders.hear(&part(first, 4 * ONE)), None);
        assert_eq!(orders.pledged(7), 10_400_000);
        assert_eq!(orders.hear(&part(9, ONE)), None, "another instance's");
        assert!(orders.hear(&part(first, 6 * ONE)).is_some());
        orders.cancel(second, &mut host);
        orders.cancel(second, &mut host);
        assert_eq!(host.cancels, [51], "cancelled once");
        assert!(orders.iter().all(|(_, order)| order.cancelled));
        let ended = orders.hear(&Event::Refused(refusal(second, 7, "CANCELLED")));
        assert!(ended.is_some() && orders.is_empty());
    }

    #[test]
    fn a_snapshot_holds_them_and_their_last_tag() {
        let (mut old, mut host) = (Orders::default(), Recorder::default());
        old.submit(50, 100, buy(10 * ONE), &mut host).unwrap();
        old.cancel(50, &mut host);
        let mut out = Writer::new("x", 1);
        old.write(&mut out);
        let bytes = out.into_bytes();
        let mut new = Orders::default();
        for words in state::read("x", 1, &bytes).unwrap() {
            new.read(&words[1..]).unwrap();
        }
        assert_eq!(new, old);
        assert!(
            new.read(&["1", "7", "lend", "1", "1", "1", "1", "open"])
                .is_err()
        );
        new.expire(100 + SILENCE);
        assert!(new.is_empty(), "nobody told of its end");
    }

    #[test]
    fn what_the_host_does_not_take_is_not_open() {
        let mut orders = Orders::default();
        let mut legless = buy(ONE);
        legless.legs.clear();
        assert_eq!(orders.submit(1, 2, legless, &mut Recorder::default()), None);
        assert!(orders.is_empty());
    }
}
