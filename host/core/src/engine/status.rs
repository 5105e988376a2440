//! What the engine shows of itself: for the terminal, the dashboard and health. Changes nothing.

use super::{Engine, equity};
use crate::config::EngineConfig;
use crate::ids::{Nanos, OracleId, StrategyId, Timestamp, Venue};
use crate::position::Held;
use crate::reason::Reason;
use crate::report::Day;
use crate::risk::{LimitsInUse, Look};
use crate::units::{Bps, Usd};

/// How often each stage did something since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records stepped.
    pub records: u64,
    /// Of them, those that could not be used.
    pub refused: u64,
    /// Opportunities published, updates of the same one included.
    pub opportunities: u64,
    /// Intents judged.
    pub intents: u64,
    /// Intents that risk denied.
    pub denied: u64,
    /// Legs that filled, wholly or in part.
    pub fills: u64,
    /// Approved legs that did not.
    pub unfilled: u64,
    /// Rows that their market's outcome ended.
    pub settled: u64,
    /// Calls into strategies.
    pub calls: u64,
}

/// A look at the engine between two records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// The time of the last record.
    pub now: Timestamp,
    /// Why nothing trades, when nothing trades.
    pub halted: Option<String>,
    /// Everything, marked at the lower of cost and bid as of the last time money moved.
    pub equity: Usd,
    /// Free.
    pub cash: Usd,
    /// Set aside for orders in flight and at rest.
    pub reserved: Usd,
    /// Positions at cost.
    pub locked: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// Rows that are open.
    pub open_trades: usize,
    /// Orders in flight.
    pub orders_in_flight: usize,
    /// Orders that rest in a market's queue.
    pub orders_resting: usize,
    /// By stage.
    pub counts: Counts,
    /// Inputs that could not be used, by reason.
    pub refused_inputs: Vec<(Reason, u64)>,
    /// How often books and prints, or an oracle feed, were silent for a minute and more.
    pub silences: Vec<(String, u64)>,
    /// The way to each venue, as it was last measured.
    pub latencies: Vec<(Venue, Nanos)>,
    /// In order of their ids.
    pub strategies: Vec<StrategyStatus>,
}

/// What all generations of a strategy came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Intents.
    pub intents: u64,
    /// Of them denied.
    pub denied: u64,
    /// Gains of everything it sold or that settled, after all its fees.
    pub net: Usd,
}

/// One strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyStatus {
    /// Its id.
    pub id: StrategyId,
    /// Its name; its id while it has none.
    pub name: String,
    /// Which load of it.
    pub generation: u32,
    /// Whether it is called.
    pub alive: bool,
    /// Its share of equity.
    pub share: Bps,
    /// What it has tied up: orders in flight and positions.
    pub committed: Usd,
    /// Gains of everything it sold or that settled, after all its fees (of open positions too).
    pub net: Usd,
    /// Rows of its that ended.
    pub settled: u32,
    /// Calls.
    pub calls: u64,
    /// Intents.
    pub intents: u64,
    /// Of them denied.
    pub denied: u64,
    /// Legs filled.
    pub fills: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Whether the generation before stands by.
    pub standby: bool,
}

impl Engine {
    /// What a strategy came to, for those who judge one generation of it by the difference.
    #[must_use]
    pub fn standing(&self, id: StrategyId) -> Standing {
        self.slot(id)
            .map_or_else(Standing::default, |slot| Standing {
                intents: slot.intents,
                denied: slot.denied,
                net: self.ledger.net_of(id),
            })
    }

    /// The state for people, as of the last record.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let strategies = self
            .slots
            .iter()
            .map(|slot| StrategyStatus {
                id: slot.id,
                name: self.name_of(slot.id),
                generation: slot.author.as_ref().map_or(0, |author| author.generation),
                alive: slot.alive,
                share: self.allocator.share(slot.id, &self.config.allocation),
                committed: self.ledger.committed_by(slot.id),
                net: self.ledger.net_of(slot.id),
                settled: self.allocator.record(slot.id).settled,
                calls: slot.calls,
                intents: slot.intents,
                denied: slot.denied,
                fills: slot.fills,
                faults: slot.faults,
                standby: slot.standby.is_some(),
            })
            .collect();
        EngineStatus {
            now: self.now,
            halted: self.halted.clone(),
            equity: self.marked_equity(),
            cash: self.ledger.cash(),
            reserved: self.ledger.reserved(),
            locked: self.ledger.locked(),
            fees: self.ledger.fees(),
            open_trades: self.positions.len(),
            orders_in_flight: self.orders.len(),
            orders_resting: self.resting.len(),
            counts: Counts {
                calls: self.slots.iter().map(|slot| slot.calls).sum(),
                ..self.counts
            },
            latencies: self.latencies.last().collect(),
            refused_inputs: self.refused_inputs.iter().map(|(r, n)| (*r, *n)).collect(),
            silences: self
                .silences
                .counts()
                .map(|(of, n)| (self.stream(of), n))
                .collect(),
            strategies,
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Every limit that fills up, with what the checks would find used of it now. Changes nothing: what
    /// is not marked yet since its book moved is marked here for this look only.
    #[must_use]
    pub fn limits_in_use(&self) -> LimitsInUse {
        let (data, now) = (&self.data, self.now);
        let held = self.positions.worth_at(|i| equity::bid(data, now, i));
        let money = self.ledger.cash().0;
        let money = money.saturating_add(self.ledger.reserved().0);
        let look = Look {
            now,
            equity: Usd(money.saturating_add(held.0)),
            config: &self.config,
            ledger: &self.ledger,
            allocator: &self.allocator,
        };
        let strategies = self.slots.iter();
        let strategies = strategies.map(|slot| (slot.id, slot.grant.may()));
        self.guardian.in_use(look, strategies)
    }

    /// What the run began with.
    #[must_use]
    pub fn capital(&self) -> Usd {
        self.ledger.capital()
    }

    /// What is tied up on each venue: orders at their limit and positions at cost.
    pub fn committed_on(&self) -> impl Iterator<Item = (Venue, Usd)> {
        let venues = Venue::ALL.into_iter();
        venues.map(|venue| (venue, self.ledger.committed_on(venue)))
    }

    /// What is held of every instrument, as it was last marked.
    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.positions.held_by_instrument()
    }

    /// The present UTC day of the run's time, counted from the effects.
    #[must_use]
    pub fn today(&self) -> Day {
        self.tally.day(self.now)
    }

    fn stream(&self, of: Option<OracleId>) -> String {
        match of.and_then(|id| self.data.oracle(id)) {
            Some(oracle) => format!("{} {}", oracle.spec().source, oracle.spec().symbol),
            None if of.is_some() => "unlisted oracle".to_owned(),
            None => "books and prints".to_owned(),
        }
    }

    pub(super) fn name_of(&self, id: StrategyId) -> String {
        let author = self.slot(id).and_then(|slot| slot.author.as_ref());
        author.map_or_else(|| format!("strategy {id}"), |author| author.name.clone())
    }
}
