//! What waits for Redis: bounded, never waited for, the oldest given up first.
//!
//! Prices are kept apart: of one instrument only the newest waits, and it is sent at most once an
//! interval. Everything else keeps its order.

use super::message::{BusMessage, PriceKey};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Messages waiting; one more drops the oldest.
pub const BUS_QUEUE: usize = 4_096;
/// Instruments and oracles whose prices are followed; one more is dropped.
pub const PRICE_KEYS_MAX: usize = 10_000;
/// At most one price of an instrument in this time; the newest is never lost, only late.
pub const PRICE_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<BusMessage>,
    prices: BTreeMap<PriceKey, BusMessage>,
    sent: BTreeMap<PriceKey, Instant>,
    dropped: u64,
}

/// The queue between the engine's thread and the bus.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    pub arrived: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits.
    pub fn push(&self, message: BusMessage) {
        let mut waiting = self.lock();
        match message.price_key() {
            None => {
                waiting.messages.push_back(message);
                waiting.shorten();
            }
            Some(key) => {
                if waiting.prices.len() < PRICE_KEYS_MAX || waiting.prices.contains_key(&key) {
                    waiting.prices.insert(key, message);
                } else {
                    waiting.dropped += 1;
                }
            }
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Up to `limit` messages in order, then the prices that are due.
    pub fn take(&self, limit: usize, now: Instant) -> Vec<BusMessage> {
        let mut waiting = self.lock();
        let count = waiting.messages.len().min(limit);
        let mut taken: Vec<BusMessage> = waiting.messages.drain(..count).collect();
        let Waiting { prices, sent, .. } = &mut *waiting;
        sent.retain(|_, at| now.duration_since(*at) < PRICE_INTERVAL);
        prices.retain(|key, message| {
            if taken.len() >= limit || sent.contains_key(key) {
                return true;
            }
            sent.insert(*key, now);
            taken.push(message.clone());
            false
        });
        taken
    }

    /// Puts back what could not be sent. A newer price of the same thing replaces an older one.
    pub fn put_back(&self, messages: Vec<BusMessage>) {
        let mut waiting = self.lock();
        for message in messages.into_iter().rev() {
            match message.price_key() {
                None => waiting.messages.push_front(message),
                Some(key) => _ = waiting.prices.entry(key).or_insert(message),
            }
        }
        waiting.shorten();
    }

    /// Messages that wait, and those given up so far.
    pub fn counts(&self) -> (usize, u64) {
        let waiting = self.lock();
        (
            waiting.messages.len() + waiting.prices.len(),
            waiting.dropped,
        )
    }
}

impl Waiting {
    fn shorten(&mut self) {
        while self.messages.len() > BUS_QUEUE {
            self.messages.pop_front();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::message::OracleMessage;
    use pm_arb_core::effect::{Alert, AlertLevel, Message};
    use pm_arb_core::ids::{OracleId, Timestamp};
    use pm_arb_core::units::SpotPrice;

    fn alert(number: usize) -> BusMessage {
        BusMessage::Effect(Box::new(Message::Alert(Alert {
            level: AlertLevel::Info,
            code: number.to_string(),
            text: String::new(),
            at: Timestamp(0),
        })))
    }

    fn price(oracle: u32, price: i128) -> BusMessage {
        BusMessage::Oracle(Box::new(OracleMessage {
            oracle: OracleId(oracle),
            source: "binance".into(),
            symbol: "btcusdt".into(),
            price: SpotPrice(price),
            source_time: Timestamp(0),
            received_at: Timestamp(0),
        }))
    }

    #[test]
    fn a_full_queue_gives_up_the_oldest_and_counts() {
        let queue = Queue::default();
        for number in 0..BUS_QUEUE + 3 {
            queue.push(alert(number));
        }
        assert_eq!(queue.counts(), (BUS_QUEUE, 3));
        let first = queue.take(2, Instant::now());
        assert_eq!(first, [alert(3), alert(4)]);
        // What comes back keeps its place.
        queue.put_back(first);
        assert_eq!(queue.take(1, Instant::now()), [alert(3)]);
    }

    #[test]
    fn of_many_prices_the_newest_is_sent_once_an_interval() {
        let queue = Queue::default();
        let start = Instant::now();
        let later = start + PRICE_INTERVAL;
        queue.push(price(0, 1));
        queue.push(price(0, 2));
        queue.push(price(1, 7));
        assert_eq!(queue.take(9, start), [price(0, 2), price(1, 7)]);
        queue.push(price(0, 3));
        queue.push(price(0, 4));
        assert_eq!(queue.take(9, start), []);
        assert_eq!(queue.take(9, later), [price(0, 4)]);
        assert_eq!(queue.counts(), (0, 0));
        // An old price that could not be sent does not replace a newer one.
        queue.push(price(0, 6));
        queue.put_back(vec![price(0, 5)]);
        assert_eq!(queue.take(9, later + PRICE_INTERVAL), [price(0, 6)]);
    }
}
