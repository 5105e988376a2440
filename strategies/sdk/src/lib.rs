//! Write a pm-arb strategy: implement [`Strategy`], name it in [`export!`], build a component.
//!
//! Owns the bindings of `wit/strategy.wit`, the glue between them and a strategy, and small helpers
//! for settings, money, state and tests. It decides nothing about trading.
//!
//! ```text
//! host ─► exported functions (glue) ─► your Strategy ─► Host::submit ─► host
//! ```
//!
//! | you want to                                   | look at                                     |
//! |-----------------------------------------------|---------------------------------------------|
//! | know what happens and what you may answer     | [`Strategy`], [`Event`], [`Intent`], [`Host`] |
//! | ask for no more than you need                 | [`Wants`]                                   |
//! | be set up by an operator                      | [`Settings`]                                |
//! | count money                                   | [`Price`], [`Qty`], [`Usd`]; [`money`]      |
//! | know grids, fees and ends of markets          | [`markets`], [`keep::Grids`]                |
//! | know what you hold and what is on its way     | [`keep::Exposure`], [`orders`], [`hold`]    |
//! | act on an opportunity once                    | [`keep::Taken`]                             |
//! | know what a price was like lately             | [`mean`]                                    |
//! | outlive a swap                                | [`state`]                                   |
//! | test without a host                           | [`testing`]                                 |
//!
//! A panic is written to the host's log with its place, and ends this instance alone.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// Generated from `wit/strategy.wit`: the same types the host speaks.
#[allow(missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "batching-strategy",
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
    });
}

pub mod glue;
pub mod hold;
pub mod keep;
pub mod markets;
pub mod mean;
pub mod money;
pub mod orders;
pub mod settings;
pub mod state;
pub mod testing;
mod typed;
pub mod units;
pub mod wants;

pub use bindings::pm_arb::strategy::host::Level;
pub use bindings::pm_arb::strategy::types::{
    Event, EventId, FeeSchedule, Fill, Intent, IntentLeg, Market, Opportunity, OpportunityKind,
    OpportunityLeg, OracleTick, Outcome, Print, Quote, Refusal, Settlement, TimeInForce, Topics,
};
pub use settings::Settings;
pub use units::{Price, Qty, Rounding, Usd};
pub use wants::Wants;

/// Nanoseconds since the Unix epoch, UTC, as the host counts them.
pub type Timestamp = u64;

/// A strategy. One call at a time; no clock, no randomness, no files.
pub trait Strategy: Sized + 'static {
    /// Unique in a run: lower case letters, digits and hyphens.
    const NAME: &'static str;
    /// What it wants to hear besides the fate of its own intents.
    const TOPICS: Topics;
    /// What it asks to be allowed; without a word of its own, all that is granted.
    const WANTS: Wants = Wants::ALL;
    /// Number of the form of its snapshot: count it up when the form changes.
    const STATE: u32 = 1;
    /// Older forms that [`restore`](Self::restore) reads as well.
    const READS: &'static [u32] = &[];

    /// Starts with these settings. An error refuses the load: name the setting and say why.
    fn new(settings: &mut Settings) -> Result<Self, String>;

    /// A best price or its size changed. Only called with [`Topics::QUOTES`].
    fn on_quote(&mut self, _now: Timestamp, _quote: &Quote, _host: &mut dyn Host) {}

    /// Anything else happened.
    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host);

    /// What a successor must know.
    fn snapshot(&self) -> Vec<u8>;

    /// Takes over from a predecessor. An error refuses the swap and the old version goes on.
    fn restore(&mut self, state: &[u8]) -> Result<(), String>;
}

/// What the host offers to a strategy.
pub trait Host {
    /// Writes a line to the host's log (limited in length and number).
    fn log(&mut self, level: Level, text: &str);
    /// Wishes. False: the host did not take it.
    fn submit(&mut self, intent: &Intent) -> bool;
    /// Cancels every order of ours with that tag that rests or is on its way to. False: the host did not
    /// take it.
    fn cancel(&mut self, tag: u64) -> bool;
    /// Asks for an [`Event::Timer`] then; the earliest of one call wins.
    fn wake_at(&mut self, at: Timestamp);
}
