//! One running instance of a component, and the strategy it is to the engine.
//!
//! One store per instance, made in one place with every limit set. Any error of a call ends the
//! instance: it is never called again, and what it submitted in that call is void.

use super::clock::Allowance;
use super::describe::Described;
use super::error::PluginError;
use super::imports::{Guest, printable};
use super::limits::{CROSSING_BYTES_MAX, HANDLES_MAX, Limits};
use super::tape::Tape;
use super::told::Told;
use super::usage::Usage;
use super::wire::{self, WireEvent, WireQuote, WireTimedQuote};
use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::{Output, Quote, Strategy, StrategyEvent, StrategyFault};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{Error, Store, Trap};

/// A batch of quotes may need so many times less fuel than there is.
const BATCH_MARGIN: u64 = 4;

/// An instance and its store.
pub(super) struct Instance {
    store: Store<Guest>,
    instance: wasmtime::component::Instance,
    limits: Limits,
}

impl Instance {
    pub(super) fn new(
        pre: &InstancePre<Guest>,
        name: &str,
        limits: &Limits,
    ) -> Result<Self, PluginError> {
        let mut store = new_store(pre, name, limits);
        match pre.instantiate(&mut store) {
            Ok(instance) => Ok(Self {
                store,
                instance,
                limits: *limits,
            }),
            Err(error) => Err(PluginError::Failed {
                call: "instantiate",
                fault: fault(store.data(), &error),
            }),
        }
    }

    fn export<P, R>(&mut self, name: &'static str) -> Result<TypedFunc<P, R>, PluginError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        self.instance
            .get_typed_func(&mut self.store, name)
            .map_err(|source| PluginError::WrongType {
                name: name.to_owned(),
                source,
            })
    }

    /// A rare call, with the fuel of one.
    fn call<P, R>(&mut self, name: &'static str, params: P) -> Result<R, PluginError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self.export(name)?;
        setup_call(&mut self.store, &function, params, &self.limits)
            .map_err(|fault| PluginError::Failed { call: name, fault })
    }

    /// Asks it who it is, in the words of the version it was built for.
    pub(super) fn describe(&mut self) -> Result<Described, PluginError> {
        if self.export::<(), (wire::ManifestV02,)>("describe").is_ok() {
            let (wire,): (wire::ManifestV02,) = self.call("describe", ())?;
            return wire.try_into();
        }
        let (wire,): (wire::Manifest,) = self.call("describe", ())?;
        wire.try_into()
    }

    pub(super) fn init(&mut self, params: &[(String, String)]) -> Result<(), PluginError> {
        let (answer,): (Result<(), String>,) = self.call("init", (params,))?;
        answer.map_err(|why| PluginError::InitRefused(printable(&why)))
    }
}

/// The only place where a store is made: every limit, for every generation.
fn new_store(pre: &InstancePre<Guest>, name: &str, limits: &Limits) -> Store<Guest> {
    let mut store = Store::new(pre.engine(), Guest::new(name, limits));
    store.limiter(|guest| &mut guest.meter);
    store.set_hostcall_fuel(limits.snapshot_bytes + CROSSING_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    // Fuel metering is on, so this does not fail; a store without fuel would trap at once.
    let _ = store.set_fuel(limits.setup_fuel);
    store.epoch_deadline_callback(|mut store| Ok(store.data_mut().watch.look()));
    give_time(&mut store, limits.setup_time.into());
    store
}

/// The present call may take so long. Where the clock is no limit it never ticks.
fn give_time(store: &mut Store<Guest>, may: Allowance) {
    store.data_mut().watch.begin(may);
    store.set_epoch_deadline(may.ticks);
}

fn setup_call<P, R>(
    store: &mut Store<Guest>,
    function: &TypedFunc<P, R>,
    params: P,
    limits: &Limits,
) -> Result<R, StrategyFault>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    store.data_mut().begin(false);
    give_time(store, limits.setup_time.into());
    store
        .set_fuel(limits.setup_fuel)
        .and_then(|()| function.call(&mut *store, params))
        .map_err(|error| fault(store.data(), &error))
}

/// What an error of a call says about the strategy.
fn fault(guest: &Guest, error: &Error) -> StrategyFault {
    let said = guest.log.last_error.as_deref();
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => StrategyFault::OutOfFuel,
        Some(Trap::Interrupt) => StrategyFault::TooSlow,
        _ if guest.meter.refused => StrategyFault::OutOfMemory,
        Some(trap) => StrategyFault::Trap(match said {
            Some(said) => printable(&format!("{said} ({trap})")),
            None => printable(&trap.to_string()),
        }),
        None => StrategyFault::Protocol(printable(&error.root_cause().to_string())),
    }
}

/// A component as the engine sees it.
pub struct ComponentStrategy {
    store: Store<Guest>,
    limits: Limits,
    call_time: Allowance,
    may: Capabilities,
    dead: bool,
    /// Events it was told.
    calls: u64,
    /// The call that the clock ended when this was recorded; zero for none.
    stop_at: u64,
    /// What it was told lately, where somebody may want to know.
    tape: Option<Box<Tape>>,
    /// When the present call began, if it is timed.
    began: Option<Instant>,
    on_quote: TypedFunc<(u64, WireQuote), ()>,
    /// Only of a `batching-strategy` that sees no clock of a WASI: that one would stand still in a batch.
    on_quotes: Option<TypedFunc<(Vec<WireTimedQuote>,), (u32,)>>,
    on_event: TypedFunc<(u64, WireEvent), ()>,
    snapshot: TypedFunc<(), (Vec<u8>,)>,
    restore: TypedFunc<(Vec<u8>,), (Result<(), String>,)>,
}

impl std::fmt::Debug for ComponentStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentStrategy")
            .field("name", &self.store.data().name)
            .finish_non_exhaustive()
    }
}

impl ComponentStrategy {
    pub(super) fn new(
        mut instance: Instance,
        sees_clock: bool,
        may: Capabilities,
    ) -> Result<Self, PluginError> {
        let guest = instance.store.data();
        guest.usage.holds(guest.meter.memory());
        let on_quotes = instance.export("on-quotes").ok();
        Ok(Self {
            on_quotes: on_quotes.filter(|_| !sees_clock),
            on_quote: instance.export("on-quote")?,
            on_event: instance.export("on-event")?,
            snapshot: instance.export("snapshot")?,
            restore: instance.export("restore")?,
            store: instance.store,
            call_time: instance.limits.call_time.into(),
            limits: instance.limits,
            may,
            dead: false,
            calls: 0,
            stop_at: 0,
            tape: None,
            began: None,
        })
    }

    /// What it may, by what it asked for and was granted when it was made.
    #[must_use]
    pub fn may(&self) -> &Capabilities {
        &self.may
    }

    /// What it uses, for those who look.
    #[must_use]
    pub fn usage(&self) -> Arc<Usage> {
        self.store.data().usage.clone()
    }

    /// Takes over the state of a predecessor.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        let failed = |fault| PluginError::Failed {
            call: "restore",
            fault,
        };
        self.alive().map_err(failed)?;
        let answer = setup_call(
            &mut self.store,
            &self.restore,
            (state.to_vec(),),
            &self.limits,
        );
        match self.note(answer).map_err(failed)? {
            (Ok(()),) => Ok(()),
            (Err(why),) => Err(PluginError::RestoreRefused(printable(&why))),
        }
    }

    /// From here on it is kept what this is told.
    pub(super) fn keep_tape(&mut self) {
        self.tape.get_or_insert_default();
    }

    /// What it was told lately.
    pub(super) fn tape(&self) -> Option<&Tape> {
        self.tape.as_deref()
    }

    fn alive(&self) -> Result<(), StrategyFault> {
        if self.dead {
            return Err(StrategyFault::Protocol(
                "called after it had failed".to_owned(),
            ));
        }
        Ok(())
    }

    fn note<T>(&mut self, answer: Result<T, StrategyFault>) -> Result<T, StrategyFault> {
        self.dead |= answer.is_err();
        answer
    }

    /// Before an event is told: a fresh budget. Everything here is a store to memory.
    fn begin(&mut self, now: Timestamp) -> Result<(), StrategyFault> {
        self.alive()?;
        self.calls = self.calls.saturating_add(1);
        if self.calls == self.stop_at {
            self.dead = true;
            return Err(StrategyFault::TooSlow);
        }
        let guest = self.store.data_mut();
        guest.begin(true);
        guest.now.store(now.0, Ordering::Relaxed);
        self.began = guest.usage.is_timed().then(Instant::now);
        give_time(&mut self.store, self.call_time);
        self.store
            .set_fuel(self.limits.call_fuel)
            .map_err(|error| StrategyFault::Protocol(error.to_string()))
    }

    /// After it: what it submitted moves to `out`, or is void. What it used is counted for each of the
    /// events that it was told.
    fn finish(
        &mut self,
        answer: wasmtime::Result<()>,
        told: u32,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let took = self.began.take().map(|began| began.elapsed());
        let left = self.store.get_fuel().unwrap_or_default();
        let guest = self.store.data_mut();
        let fuel = self.limits.call_fuel.saturating_sub(left);
        // A division costs more than the rest of this.
        let (each, took) = match told {
            0 | 1 => (fuel, took),
            told => (fuel / u64::from(told), took.map(|took| took / told)),
        };
        guest.usage.called(each, guest.meter.memory(), took);
        guest.listening = false;
        match answer {
            Ok(()) => {
                if !guest.intents.is_empty() {
                    out.intents.append(&mut guest.intents);
                }
                if !guest.cancels.is_empty() {
                    out.cancels.append(&mut guest.cancels);
                }
                if let Some(at) = guest.wake_at.take() {
                    out.wake_at = Some(out.wake_at.map_or(at, |earlier| earlier.min(at)));
                }
                Ok(())
            }
            Err(error) => {
                self.dead = true;
                Err(fault(guest, &error))
            }
        }
    }
}

impl Strategy for ComponentStrategy {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        if let Some(tape) = &mut self.tape {
            tape.push(now, Told::Quote(*quote));
        }
        self.begin(now)?;
        let answer = self
            .on_quote
            .call(&mut self.store, (now.0, WireQuote::from(quote)));
        self.finish(answer, 1, out)
    }

    /// All quotes of a batch share the fuel of one call, so that none of them can use more than it may
    /// alone; the batch is kept small enough for that by what the dearest call used so far.
    fn batch_max(&self) -> usize {
        if self.on_quotes.is_none() {
            return 0;
        }
        let dearest = self.store.data().usage.fuel_max().max(1);
        let fit = self.limits.call_fuel / dearest.saturating_mul(BATCH_MARGIN);
        usize::try_from(fit).unwrap_or(usize::MAX)
    }

    fn on_quotes(
        &mut self,
        quotes: &[(Timestamp, Quote)],
        out: &mut Output,
    ) -> Result<usize, StrategyFault> {
        let (Some(on_quotes), Some((now, _))) = (self.on_quotes, quotes.first()) else {
            return Ok(0);
        };
        self.begin(*now)?;
        let timed = |(now, quote): &(Timestamp, Quote)| WireTimedQuote {
            now: now.0,
            quote: WireQuote::from(quote),
        };
        let batch = quotes.iter().map(timed).collect();
        match on_quotes.call(&mut self.store, (batch,)) {
            Ok((taken,)) => {
                self.finish(Ok(()), taken, out)?;
                Ok(usize::try_from(taken).unwrap_or(usize::MAX))
            }
            Err(error) => self.finish(Err(error), 1, out).map(|()| 0),
        }
    }

    fn on_event(
        &mut self,
        now: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        if let Some(tape) = &mut self.tape {
            tape.push_event(now, event);
        }
        let Some(event) = WireEvent::new(event) else {
            return self.alive();
        };
        self.begin(now)?;
        let answer = self.on_event.call(&mut self.store, (now.0, event));
        self.finish(answer, 1, out)
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        self.alive()?;
        let answer = setup_call(&mut self.store, &self.snapshot, (), &self.limits);
        let (state,) = self.note(answer)?;
        if state.len() > self.limits.snapshot_bytes {
            self.dead = true;
            return Err(StrategyFault::Protocol(format!(
                "its snapshot is {} bytes; {} are allowed",
                state.len(),
                self.limits.snapshot_bytes
            )));
        }
        Ok(state)
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn stop_at(&mut self, call: u64) {
        self.dead |= call == 0;
        self.stop_at = call;
    }
}
