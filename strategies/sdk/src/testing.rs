//! A stage for native unit tests: it feeds a strategy events as the host does and keeps what it answers.
//! Never part of a component.
//!
//! [`Stage`] plays one strategy through time. What it answers at each step is returned at that step, so a
//! test reads as a story:
//!
//! ```
//! use pm_arb_sdk::testing::{Stage, market};
//! use pm_arb_sdk::*;
//!
//! /// Buys ten shares of whatever is offered at a dime, once.
//! struct Dime(bool);
//!
//! impl Strategy for Dime {
//!     const NAME: &'static str = "dime";
//!     const TOPICS: Topics = Topics::QUOTES;
//!     fn new(_: &mut Settings) -> Result<Self, String> {
//!         Ok(Self(false))
//!     }
//!     fn on_quote(&mut self, _now: Timestamp, quote: &Quote, host: &mut dyn Host) {
//!         if !self.0 && quote.ask_price <= 100_000 {
//!             let legs = vec![IntentLeg { instrument: quote.instrument, buy: true, limit: quote.ask_price }];
//!             self.0 = host.submit(&Intent {
//!                 opportunity: None,
//!                 tag: 1,
//!                 legs,
//!                 qty: 10_000_000,
//!                 time_in_force: TimeInForce::Fak,
//!                 expected_edge: 20_000,
//!             });
//!         }
//!     }
//!     fn on_event(&mut self, _now: Timestamp, _event: &Event, _host: &mut dyn Host) {}
//!     fn snapshot(&self) -> Vec<u8> {
//!         vec![u8::from(self.0)]
//!     }
//!     fn restore(&mut self, state: &[u8]) -> Result<(), String> {
//!         self.0 = state == [1];
//!         Ok(())
//!     }
//! }
//!
//! let mut stage = Stage::<Dime>::new(&[]);
//! stage.list(market(0));
//! assert_eq!(stage.quote(0, 190_000, 200_000), []);
//! let intents = stage.quote(0, 90_000, 100_000);
//! stage.fill(&intents[0], 10_000_000, 100_000);
//! stage.swap();
//! assert_eq!(stage.quote(0, 80_000, 90_000), [], "the successor remembers");
//! ```
//!
//! [`Recorder`] is the host alone, for tests of a part.

use crate::{
    Event, EventId, FeeSchedule, Fill, Host, Intent, Level, Market, Opportunity, OpportunityKind,
    OpportunityLeg, OracleTick, Outcome, Quote, Refusal, Settings, Settlement, Strategy, Timestamp,
};

/// Intents of one call, as the host takes them.
const INTENTS_MAX: usize = 64;
/// Legs of one intent.
const LEGS_MAX: usize = 8;
/// The time at which a stage begins: an hour past the epoch, as zero is a time of its own to many.
pub const START: Timestamp = 3_600_000_000_000;
/// A second.
pub const SECOND: u64 = 1_000_000_000;

/// Keeps what a strategy said.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Lines of log.
    pub lines: Vec<String>,
    /// Wishes, in order.
    pub intents: Vec<Intent>,
    /// Tags it cancelled, in order.
    pub cancels: Vec<u64>,
    /// When it asked to be woken.
    pub wakes: Vec<Timestamp>,
}

impl Host for Recorder {
    fn log(&mut self, _level: Level, text: &str) {
        self.lines.push(text.to_owned());
    }

    fn submit(&mut self, intent: &Intent) -> bool {
        let taken = (1..=LEGS_MAX).contains(&intent.legs.len()) && self.intents.len() < INTENTS_MAX;
        if taken {
            self.intents.push(intent.clone());
        }
        taken
    }

    fn cancel(&mut self, tag: u64) -> bool {
        self.cancels.push(tag);
        true
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wakes.push(at);
    }
}

/// One strategy played through time: see the top of this file.
pub struct Stage<S> {
    /// What is played.
    pub strategy: S,
    /// What it said in the last call.
    pub said: Recorder,
    settings: Vec<(String, String)>,
    now: Timestamp,
    timer: Option<Timestamp>,
    intents: u64,
}

impl<S: Strategy> Stage<S> {
    /// Starts a strategy with these settings.
    ///
    /// # Panics
    /// When the strategy refuses them: use [`Self::try_new`] to look at the reason.
    #[must_use]
    pub fn new(settings: &[(&str, &str)]) -> Self {
        Self::try_new(settings).unwrap_or_else(|why| panic!("{}: {why}", S::NAME))
    }

    /// Starts a strategy, or says why it does not start.
    pub fn try_new(settings: &[(&str, &str)]) -> Result<Self, String> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Ok(Self {
            strategy: begin(&settings)?,
            said: Recorder::default(),
            settings,
            now: START,
            timer: None,
            intents: 0,
        })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When it is woken next.
    #[must_use]
    pub fn timer(&self) -> Option<Timestamp> {
        self.timer
    }

    /// Lets time pass; timers that come due on the way fire at their time. What was answered to them.
    pub fn pass(&mut self, nanos: u64) -> Vec<Intent> {
        let until = self.now.saturating_add(nanos);
        let mut answered = Vec::new();
        while let Some(at) = self.timer.filter(|at| *at <= until) {
            // As the host does: a millisecond from now at the soonest, so that nobody spins.
            self.now = at.max(self.now.saturating_add(1_000_000));
            self.timer = None;
            answered.extend(self.tell(&Event::Timer));
        }
        self.now = self.now.max(until);
        answered
    }

    /// Tells it an event.
    pub fn tell(&mut self, event: &Event) -> Vec<Intent> {
        self.call(|strategy, now, host| strategy.on_event(now, event, host))
    }

    /// Lists a market.
    pub fn list(&mut self, market: Market) -> Vec<Intent> {
        self.tell(&Event::MarketListed(market))
    }

    /// A best price changed: a hundred shares on each side.
    pub fn quote(&mut self, instrument: u32, bid_price: i64, ask_price: i64) -> Vec<Intent> {
        let quote = Quote {
            instrument,
            bid_price,
            bid_qty: 100_000_000,
            ask_price,
            ask_qty: 100_000_000,
        };
        self.call(|strategy, now, host| strategy.on_quote(now, &quote, host))
    }

    /// The host saw an edge.
    pub fn see(&mut self, opportunity: Opportunity) -> Vec<Intent> {
        self.tell(&Event::Opportunity(opportunity))
    }

    /// An oracle published that many dollars.
    pub fn oracle(&mut self, oracle: u32, dollars: i64) -> Vec<Intent> {
        self.tell(&Event::OracleTick(OracleTick {
            oracle,
            price_e8: dollars * 100_000_000,
            source_time: self.now,
        }))
    }

    /// Fills the first leg of an intent, in part or whole, without a fee.
    ///
    /// # Panics
    /// When it has no leg.
    pub fn fill(&mut self, intent: &Intent, qty: i64, price: i64) -> Vec<Intent> {
        self.fill_leg(intent, 0, qty, price)
    }

    /// Fills one leg of an intent.
    ///
    /// # Panics
    /// When it has no such leg.
    pub fn fill_leg(&mut self, intent: &Intent, leg: usize, qty: i64, price: i64) -> Vec<Intent> {
        let leg = &intent.legs[leg];
        let fill = Fill {
            tag: intent.tag,
            ..fill(leg.instrument, leg.buy, qty, price, 0)
        };
        self.tell(&Event::Filled(fill))
    }

    /// Refuses every leg of an intent, or what is left of it.
    pub fn refuse(&mut self, intent: &Intent, reason: &str) -> Vec<Intent> {
        let mut answered = Vec::new();
        for leg in &intent.legs {
            let event = Event::Refused(refusal(intent.tag, leg.instrument, reason));
            answered.extend(self.tell(&event));
        }
        answered
    }

    /// Settles what is held of an instrument.
    pub fn settle(&mut self, market: u32, instrument: u32, payout: i64) -> Vec<Intent> {
        self.tell(&Event::Settled(Settlement {
            market,
            instrument,
            payout,
            pnl: 0,
        }))
    }

    /// Swaps it for a new instance of itself with its state. The host lists the open markets again
    /// after a swap; so should the test.
    ///
    /// # Panics
    /// When a snapshot changes what the next one says, or is not restored to the same state.
    pub fn swap(&mut self) {
        let state = self.strategy.snapshot();
        assert!(
            state == self.strategy.snapshot(),
            "{}: a snapshot changed the state",
            S::NAME
        );
        let successor = begin::<S>(&self.settings).and_then(|mut successor: S| {
            successor.restore(&state)?;
            Ok(successor)
        });
        self.strategy = successor.unwrap_or_else(|why| panic!("{}: {why}", S::NAME));
        assert!(
            state == self.strategy.snapshot(),
            "{}: what was restored is not what was written:\n{}\n{}",
            S::NAME,
            String::from_utf8_lossy(&state),
            String::from_utf8_lossy(&self.strategy.snapshot())
        );
    }

    fn call(&mut self, f: impl FnOnce(&mut S, Timestamp, &mut Recorder)) -> Vec<Intent> {
        self.said = Recorder::default();
        f(&mut self.strategy, self.now, &mut self.said);
        self.intents += self.said.intents.len() as u64;
        if let Some(wake) = self.said.wakes.iter().min() {
            self.timer = Some(self.timer.map_or(*wake, |timer| timer.min(*wake)));
        }
        self.said.intents.clone()
    }

    /// How many intents it has submitted so far.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.intents
    }
}

fn begin<S: Strategy>(settings: &[(String, String)]) -> Result<S, String> {
    let mut settings = Settings::new(settings.to_vec());
    let strategy = S::new(&mut settings)?;
    settings.finish()?;
    Ok(strategy)
}

/// An opportunity with legs `(price, fair)` on instruments and markets 0, 1, … without fees: 100
/// shares everywhere, 1,000 dollars of capital, closing at one minute.
#[must_use]
pub fn opportunity(seq: u64, kind: OpportunityKind, legs: &[(i64, Option<i64>)]) -> Opportunity {
    let cost: i64 = legs.iter().map(|(price, _)| price).sum();
    let pays = legs
        .iter()
        .find_map(|(_, fair)| *fair)
        .unwrap_or(crate::money::ONE);
    Opportunity {
        id: EventId { seq, n: 0 },
        kind,
        legs: (0..)
            .zip(legs)
            .map(|(i, (price, fair))| OpportunityLeg {
                instrument: i,
                market: i,
                price: *price,
                qty: 100_000_000,
                fair: *fair,
                fee: 0,
                book_age_ms: 5,
            })
            .collect(),
        edge: pays - cost,
        qty: 100_000_000,
        closes_at: 60_000_000_000,
        oracle_age_ms: 5,
        free_capital: 1_000_000_000,
    }
}

/// A market with that grid.
#[must_use]
pub fn listed(id: u32, lot: i64, min_qty: i64) -> Market {
    Market {
        id,
        venue: "polymarket".to_owned(),
        slug: format!("market-{id}"),
        question: String::new(),
        outcomes: Vec::new(),
        tick: 10_000,
        lot,
        min_qty,
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        opens_at: 0,
        closes_at: 60_000_000_000,
        oracle: None,
    }
}

/// A market with the outcomes YES and NO, instruments `2 × id` and `2 × id + 1`: cents, hundredths of a
/// share, five shares at least, no fees; it opens with the stage and closes ten minutes later.
#[must_use]
pub fn market(id: u32) -> Market {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: 2 * id + n,
        name: name.to_owned(),
    };
    Market {
        outcomes: vec![outcome(0, "Yes"), outcome(1, "No")],
        opens_at: START,
        closes_at: START + 600 * SECOND,
        oracle: Some(0),
        ..listed(id, 10_000, 5_000_000)
    }
}

/// A refusal of one leg of ours.
#[must_use]
pub fn refusal(tag: u64, instrument: u32, reason: &str) -> Refusal {
    Refusal {
        intent: EventId { seq: 1, n: 0 },
        tag,
        instrument,
        reason: reason.to_owned(),
    }
}

/// A fill of ours.
#[must_use]
pub fn fill(instrument: u32, bought: bool, qty: i64, price: i64, fee: i64) -> Fill {
    Fill {
        intent: EventId { seq: 1, n: 0 },
        tag: 0,
        instrument,
        bought,
        qty,
        price,
        fee,
        maker: false,
    }
}
