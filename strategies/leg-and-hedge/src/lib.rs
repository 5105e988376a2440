//! leg-and-hedge: buys one leg of a set when it is cheap, and the others when that locks a gain.
//!
//! A set is a group of outcomes that surely pay together: both outcomes of a market, or what the host's
//! mispricing opportunities name. It enters a leg whose ask fell `dip` below its own recent mean while
//! the rest of the set is within reach, or, of a set that is offered below what it pays, the leg with the
//! fewest shares on offer: the hard one first. Once the leg is held it buys all others as soon as the
//! whole costs less than it pays. After a time, a loss, or shortly before the end it gives up and sells
//! what has no counterpart.
//!
//! | setting        | default | meaning                                                            |
//! |----------------|---------|--------------------------------------------------------------------|
//! | `window`       | 60      | seconds that the mean of a price looks back                        |
//! | `dip`          | 0.04    | how far below its mean an ask is cheap, in dollars                 |
//! | `dip_max`      | 0.2     | an ask further below is no noise but news: left alone              |
//! | `reach`        | 0.03    | the whole set may cost this much more than it pays, at the entry   |
//! | `lock_min`     | 0.01    | least gain of a set after fees, in dollars                         |
//! | `profit_min`   | 0.1     | least gain of an order, in dollars                                 |
//! | `stake`        | 20      | dollars that a first leg may cost (at most 500)                    |
//! | `exposure_max` | 200     | dollars that everything held may cost                              |
//! | `sets_max`     | 4       | sets with a leg that has no counterpart at once (at most 64)       |
//! | `hold`         | 60      | seconds that a leg waits for its hedge                             |
//! | `loss_max`     | 0.06    | a bid this far below what a leg cost, in dollars, gives it up      |
//! | `slack`        | 0.02    | how far below the bid a sale may fill, in dollars                  |
//! | `pause`        | 30      | seconds before a set is entered again                              |
//! | `seconds_min`  | 120     | no entry later than this before a leg's close                      |
//! | `seconds_out`  | 20      | gives up this long before a leg's close                            |

mod decide;
mod phase;
mod prices;
mod sets;

use crate::decide::{ORDER_MAX, Rules, View, nanos};
use crate::phase::{Phase, Ticket};
use crate::prices::Prices;
use crate::sets::Sets;
use pm_arb_sdk::hold::Hold;
use pm_arb_sdk::keep::{Exposure, Taken, cost_and_payoff};
use pm_arb_sdk::markets::Markets;
use pm_arb_sdk::money::ONE;
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, Opportunity, OpportunityKind, Quote, Settings, Strategy, Timestamp,
    Topics, Wants,
};

/// The strategy.
pub struct LegAndHedge {
    rules: Rules,
    markets: Markets,
    exposure: Exposure,
    prices: Prices,
    taken: Taken,
    sets: Sets,
    last_tag: u64,
}

impl LegAndHedge {
    /// Whether another first leg may be bought in that set.
    fn is_free(&self, number: u32, now: Timestamp) -> bool {
        let naked = |phase: &Phase| phase.is_engaged() && *phase != Phase::Locked;
        let legged = self.sets.engaged().filter(|(_, set)| naked(&set.phase));
        let Some(set) = self.sets.get(number) else {
            return false;
        };
        // A leg that another set holds would be counted twice.
        let shared = |leg: &u32| {
            let others = self.sets.of(*leg).iter().filter_map(|n| self.sets.get(*n));
            others.into_iter().any(|other| other.phase.is_engaged())
        };
        matches!(set.phase, Phase::Idle { not_before } if not_before <= now)
            && legged.count() < self.rules.sets_max as usize
            && !set.legs.iter().any(shared)
    }

    /// Dollars that a first leg may cost now.
    fn stake(&self) -> i64 {
        let room = self
            .rules
            .exposure_max
            .saturating_sub(self.exposure.total());
        self.rules.stake.min(room).max(0)
    }

    /// Submits under a new tag.
    fn send(&mut self, now: Timestamp, mut intent: Intent, host: &mut dyn Host) -> Option<Ticket> {
        intent.tag = now.max(self.last_tag.saturating_add(1));
        if !host.submit(&intent) {
            return None;
        }
        self.last_tag = intent.tag;
        Some(Ticket {
            tag: intent.tag,
            waiting: intent.legs.len(),
        })
    }

    /// Enters a leg that fell.
    fn enter(&mut self, now: Timestamp, number: u32, leg: u32, host: &mut dyn Host) {
        let wish = self.sets.get(number).and_then(|set| {
            let (prices, markets) = (&self.prices, &self.markets);
            self.rules
                .first_leg(now, set, leg, self.stake(), prices, markets)
        });
        if let Some(intent) = wish
            && self.is_free(number, now)
            && let Some(ticket) = self.send(now, intent, host)
        {
            self.sets.put(number, Phase::Entering(ticket));
        }
    }

    /// Enters the hard leg of a set that is offered below what it pays.
    fn consider(&mut self, now: Timestamp, seen: &Opportunity, host: &mut dyn Host) -> Option<()> {
        if seen.kind != OpportunityKind::Mispricing || self.taken.contains(seen.id) {
            return None;
        }
        let (cost, pays) = cost_and_payoff(seen)?;
        let legs = seen.legs.iter().map(|leg| leg.instrument).collect();
        let number = self.sets.learn(legs, pays)?;
        let edge = pays.checked_sub(cost)?;
        if edge < self.rules.lock_min || !self.is_free(number, now) {
            return None;
        }
        let stake = self.stake().min(seen.free_capital);
        let intent = self.rules.hard_leg(now, seen, edge, stake, &self.markets)?;
        let ticket = self.send(now, intent, host)?;
        self.taken.insert(seen.id);
        self.sets.put(number, Phase::Entering(ticket));
        Some(())
    }

    /// Hedges or gives up what a set holds too much of.
    fn act(&mut self, now: Timestamp, number: u32, host: &mut dyn Host) {
        let Some((set, hold)) = self.sets.get(number).and_then(|set| match set.phase {
            Phase::Legged(hold) if hold.next_try <= now => Some((set, hold)),
            _ => None,
        }) else {
            return;
        };
        let view = View {
            held: set.held(&self.exposure),
            exposure: &self.exposure,
            prices: &self.prices,
            markets: &self.markets,
        };
        let (wish, hedging) = match self.rules.hedge(set, &view) {
            Some(intent) => (Some(intent), true),
            None if self.rules.gives_up(now, &hold, set, &view) => (self.rules.sale(&view), false),
            None => return,
        };
        let ticket = wish.and_then(|intent| self.send(now, intent, host));
        let phase = match ticket {
            Some(ticket) if hedging => Phase::Hedging(ticket, hold),
            Some(ticket) => Phase::Leaving(ticket, hold),
            // Nobody bids for it, or it is below the smallest order.
            None => hold.failed(now).map_or(Phase::Kept, Phase::Legged),
        };
        self.sets.put(number, phase);
    }

    /// Moves every set on that waited for this answer.
    fn answered(&mut self, now: Timestamp, tag: u64) {
        let engaged: Vec<u32> = self.sets.engaged().map(|(number, _)| number).collect();
        for number in engaged {
            let Some(mut phase) = self.sets.get(number).map(|set| set.phase) else {
                continue;
            };
            if let Some(ticket) = phase.ticket() {
                *ticket = ticket.answered(tag);
            }
            self.sets.put(number, phase);
            self.resolve(now, number);
        }
    }

    /// What a set is once nothing of it is on its way, from what is held.
    fn resolve(&mut self, now: Timestamp, number: u32) {
        let Some(set) = self.sets.get(number) else {
            return;
        };
        let held = set.held(&self.exposure);
        let even = held.missing.is_empty();
        let mut phase = set.phase;
        if phase.ticket().is_some_and(|ticket| !ticket.is_over(now)) {
            return;
        }
        let not_before = now.saturating_add(nanos(self.rules.pause));
        let phase = match phase {
            Phase::Idle { .. } => phase,
            _ if held.most == 0 => Phase::Idle { not_before },
            _ if even => Phase::Locked,
            Phase::Entering(_) => Phase::Legged(Hold::new(now)),
            // What a group did not match is sold by the host at once, and told a moment later.
            Phase::Hedging(_, hold) => Phase::Legged(Hold {
                next_try: now.saturating_add(pm_arb_sdk::hold::RETRY),
                ..hold
            }),
            Phase::Leaving(_, hold) => hold.failed(now).map_or(Phase::Kept, Phase::Legged),
            Phase::Locked => Phase::Legged(Hold::new(now)),
            Phase::Legged(_) | Phase::Kept => phase,
        };
        self.sets.put(number, phase);
    }

    /// Asks to be called when the next leg has waited for long enough.
    fn wake(&self, now: Timestamp, host: &mut dyn Host) {
        let due = self.sets.engaged().filter_map(|(_, set)| {
            let Phase::Legged(hold) = set.phase else {
                return None;
            };
            let over = self.rules.ends_at(&hold, set, &self.markets);
            Some(over.max(hold.next_try))
        });
        if let Some(at) = due.filter(|at| *at > now).min() {
            host.wake_at(at);
        }
    }
}

impl Strategy for LegAndHedge {
    const NAME: &'static str = "leg-and-hedge";
    const TOPICS: Topics = Topics::MARKETS
        .union(Topics::QUOTES)
        .union(Topics::MISPRICING);
    const WANTS: Wants = Wants {
        order_max: Some(ORDER_MAX),
        intents_per_second: Some(10),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            rules: Rules::new(settings)?,
            markets: Markets::default(),
            exposure: Exposure::default(),
            prices: Prices::default(),
            taken: Taken::default(),
            sets: Sets::default(),
            last_tag: 0,
        })
    }

    fn on_quote(&mut self, now: Timestamp, quote: &Quote, host: &mut dyn Host) {
        let sets = self.sets.of(quote.instrument).to_vec();
        if sets.is_empty() {
            return;
        }
        self.prices.hear(self.rules.window, now, quote);
        for number in sets {
            self.resolve(now, number);
            self.enter(now, number, quote.instrument, host);
            self.act(now, number, host);
        }
    }

    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.markets.hear(event);
        self.exposure.hear(event);
        match event {
            Event::MarketListed(market) => {
                if let [yes, no] = market.outcomes.as_slice() {
                    self.sets.learn(vec![yes.instrument, no.instrument], ONE);
                }
                return;
            }
            Event::Opportunity(seen) => {
                self.consider(now, seen, host);
            }
            Event::Gap(instrument) => self.prices.lost(*instrument),
            Event::Filled(fill) => self.answered(now, fill.tag),
            Event::Refused(refusal) => self.answered(now, refusal.tag),
            Event::MarketClosed(_) | Event::Settled(_) => {
                let engaged: Vec<u32> = self.sets.engaged().map(|(number, _)| number).collect();
                for number in engaged {
                    self.resolve(now, number);
                }
                let markets = &self.markets;
                self.sets.retain(|leg| markets.of(leg).is_some());
                let sets = &self.sets;
                self.prices.retain(|leg| !sets.of(leg).is_empty());
            }
            Event::Timer => {
                let engaged: Vec<u32> = self.sets.engaged().map(|(number, _)| number).collect();
                for number in engaged {
                    self.resolve(now, number);
                    self.act(now, number, host);
                }
            }
            _ => return,
        }
        self.wake(now, host);
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.taken.write(&mut out);
        self.exposure.write(&mut out);
        self.prices.write(&mut out);
        self.sets.write(&mut out);
        out.line(format_args!("tag {}", self.last_tag));
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["taken", seq, n] => self.taken.read(seq, n)?,
                ["held", instrument, qty, cost] => self.exposure.read(instrument, qty, cost)?,
                ["mean", instrument, rest @ ..] => self.prices.read(instrument, rest)?,
                ["set", rest @ ..] => self.sets.read(rest)?,
                ["tag", tag] => self.last_tag = state::number(tag)?,
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::LegAndHedge);

#[cfg(test)]
mod tests;
