//! The glue between the world's exported functions and a [`Strategy`].
//!
//! Owns the one instance of a component and the panic hook. Strategies never call it: they use
//! [`export!`](crate::export).

use crate::bindings::pm_arb::strategy::host;
use crate::bindings::pm_arb::strategy::types::{Manifest, TimedQuote};
use crate::{Event, Host, Intent, Level, Quote, Settings, Strategy, Timestamp};
use std::cell::RefCell;

/// The host behind the component's imports.
pub struct Live;

impl Host for Live {
    fn log(&mut self, level: Level, text: &str) {
        host::log(level, text);
    }

    fn submit(&mut self, intent: &Intent) -> bool {
        host::submit(intent)
    }

    fn cancel(&mut self, tag: u64) -> bool {
        host::cancel(tag)
    }

    fn wake_at(&mut self, at: Timestamp) {
        host::wake_at(at);
    }
}

/// The same, noticing whether the strategy acted.
struct Noticing {
    acted: bool,
}

impl Host for Noticing {
    fn log(&mut self, level: Level, text: &str) {
        Live.log(level, text);
    }

    fn submit(&mut self, intent: &Intent) -> bool {
        self.acted = true;
        Live.submit(intent)
    }

    fn cancel(&mut self, tag: u64) -> bool {
        self.acted = true;
        Live.cancel(tag)
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.acted = true;
        Live.wake_at(at);
    }
}

/// Holds the component's strategy between calls.
pub struct Slot<S>(RefCell<Option<S>>);

impl<S: Strategy> Slot<S> {
    /// Before `init`.
    #[must_use]
    pub const fn empty() -> Self {
        Self(RefCell::new(None))
    }

    /// `describe`.
    #[must_use]
    pub fn describe(version: &str) -> Manifest {
        Manifest {
            name: S::NAME.to_owned(),
            version: version.to_owned(),
            topics: S::TOPICS,
            wants: S::WANTS.into(),
            state: S::STATE,
            reads: S::READS.to_vec(),
        }
    }

    /// `init`.
    pub fn init(&self, params: Vec<(String, String)>) -> Result<(), String> {
        std::panic::set_hook(Box::new(|info| host::log(Level::Error, &info.to_string())));
        let mut settings = Settings::new(params);
        let strategy = S::new(&mut settings)?;
        settings.finish()?;
        *self.0.borrow_mut() = Some(strategy);
        Ok(())
    }

    /// `on-quote`.
    pub fn on_quote(&self, now: Timestamp, quote: &Quote) {
        self.with(|s| s.on_quote(now, quote, &mut Live));
    }

    /// `on-quotes`: ends after the first that the strategy acted on.
    pub fn on_quotes(&self, quotes: &[TimedQuote]) -> u32 {
        self.with(|s| {
            let mut host = Noticing { acted: false };
            let mut taken = 0;
            for TimedQuote { now, quote } in quotes {
                taken += 1;
                s.on_quote(*now, quote, &mut host);
                if host.acted {
                    break;
                }
            }
            taken
        })
    }

    /// `on-event`.
    pub fn on_event(&self, now: Timestamp, event: &Event) {
        self.with(|s| s.on_event(now, event, &mut Live));
    }

    /// `snapshot`.
    pub fn snapshot(&self) -> Vec<u8> {
        self.with(|s| s.snapshot())
    }

    /// `restore`.
    pub fn restore(&self, state: &[u8]) -> Result<(), String> {
        self.with(|s| s.restore(state))
    }

    fn with<R>(&self, call: impl FnOnce(&mut S) -> R) -> R {
        match self.0.borrow_mut().as_mut() {
            Some(strategy) => call(strategy),
            None => panic!("called before init"),
        }
    }
}

/// Makes a type that implements [`Strategy`](crate::Strategy) the component's exports.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod exported {
            use $crate::bindings::pm_arb::strategy::types::{Event, Manifest, Quote, TimedQuote, Timestamp};
            use $crate::glue::Slot;

            std::thread_local! {
                static SLOT: Slot<$strategy> = const { Slot::empty() };
            }

            struct Exports;

            impl $crate::bindings::Guest for Exports {
                fn describe() -> Manifest {
                    Slot::<$strategy>::describe(env!("CARGO_PKG_VERSION"))
                }
                fn init(params: Vec<(String, String)>) -> Result<(), String> {
                    SLOT.with(|s| s.init(params))
                }
                fn on_quote(now: Timestamp, quote: Quote) {
                    SLOT.with(|s| s.on_quote(now, &quote));
                }
                fn on_quotes(quotes: Vec<TimedQuote>) -> u32 {
                    SLOT.with(|s| s.on_quotes(&quotes))
                }
                fn on_event(now: Timestamp, event: Event) {
                    SLOT.with(|s| s.on_event(now, &event));
                }
                fn snapshot() -> Vec<u8> {
                    SLOT.with(Slot::snapshot)
                }
                fn restore(state: Vec<u8>) -> Result<(), String> {
                    SLOT.with(|s| s.restore(&state))
                }
            }

            $crate::bindings::export!(Exports with_types_in $crate::bindings);
        }
    };
}
