//! second-look: buys what an oracle says is cheap, once it has been cheap for a while.
//!
//! | setting    | default | meaning                                              |
//! |------------|---------|------------------------------------------------------|
//! | `edge_min` | 0.02    | least gain a share after all costs, in dollars       |
//! | `wait`     | 0.5     | seconds that an opportunity must have lasted         |
//! | `stake`    | 10      | dollars of one purchase                              |

use pm_arb_sdk::keep::{Grids, Taken};
use pm_arb_sdk::money::ONE;
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Opportunity, Settings, Strategy, TimeInForce, Timestamp,
    Topics, Usd, Wants,
};
use std::collections::BTreeMap;

/// Opportunities waited for at once; one more is left alone.
const WAITING_MAX: usize = 64;

/// What it was told to do, and what it knows.
pub struct SecondLook {
    edge_min: Usd,
    wait: u64,
    stake: Usd,
    grids: Grids,
    taken: Taken,
    /// When each was first seen, and how it was seen last.
    waiting: BTreeMap<(u64, u16), (Timestamp, Opportunity)>,
}

impl SecondLook {
    /// What to wish for, if it is worth it.
    fn decide(&self, seen: &Opportunity) -> Option<Intent> {
        let [leg] = seen.legs.as_slice() else {
            return None;
        };
        if seen.edge() < self.edge_min || self.taken.contains(seen.id) {
            return None;
        }
        // What a share costs with its fee; what the stake buys of that, rounded down.
        let stake = self.stake.min(seen.free_capital()).max(Usd::ZERO);
        let wanted = stake.buys(leg.cost()?)?.min(seen.qty());
        Some(Intent {
            opportunity: Some(seen.id),
            tag: 0,
            legs: vec![IntentLeg::buy(leg.instrument, leg.price())],
            // Cut to the market's lot; nothing below its smallest order.
            qty: self.grids.size(seen, wanted)?.0,
            time_in_force: TimeInForce::Fak,
            expected_edge: seen.edge,
        })
    }

    /// Buys what has lasted long enough, and asks to be called for the next one.
    fn look_again(&mut self, now: Timestamp, host: &mut dyn Host) {
        let wait = self.wait;
        let due: Vec<_> = self
            .waiting
            .extract_if(.., |_, (since, _)| since.saturating_add(wait) <= now)
            .collect();
        for (_, (_, seen)) in due {
            if let Some(intent) = self.decide(&seen)
                && host.submit(&intent)
            {
                self.taken.insert(seen.id);
            }
        }
        if let Some(next) = self.waiting.values().map(|(since, _)| *since).min() {
            host.wake_at(next.saturating_add(wait));
        }
    }
}

impl Strategy for SecondLook {
    const NAME: &'static str = "second-look";
    const TOPICS: Topics = Topics::MARKETS.union(Topics::ORACLE_LAG);
    const WANTS: Wants = Wants {
        order_max: Some(100 * ONE),
        intents_per_second: Some(5),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        let wait = settings.decimal("wait", ONE / 2, 0..=60 * ONE)?;
        Ok(Self {
            edge_min: settings.money("edge_min", Usd(20_000), Usd::ZERO..=Usd::whole(1))?,
            // Millionths of a second to nanoseconds.
            wait: wait.unsigned_abs() * 1_000,
            stake: settings.money("stake", Usd::whole(10), Usd::whole(1)..=Usd::whole(100))?,
            grids: Grids::default(),
            taken: Taken::default(),
            waiting: BTreeMap::new(),
        })
    }

    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.grids.hear(event);
        match event {
            Event::Opportunity(seen) => {
                let key = (seen.id.seq, seen.id.n);
                let known = self.waiting.get(&key).map(|(since, _)| *since);
                if known.is_some() || self.waiting.len() < WAITING_MAX {
                    let since = known.unwrap_or(now);
                    self.waiting.insert(key, (since, seen.clone()));
                }
            }
            Event::Timer => {}
            _ => return,
        }
        self.look_again(now, host);
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.taken.write(&mut out);
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["taken", seq, n] => self.taken.read(seq, n)?,
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::SecondLook);

#[cfg(test)]
mod tests;
