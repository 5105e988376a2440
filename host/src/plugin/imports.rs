//! What a strategy can call: `log`, `submit`, `cancel`, `wake-at`, and the state behind them.
//!
//! Owns the data of a store. A host function never returns an error for what a guest passes, except
//! to stop it for lack of fuel; what is too much is counted or answered with "not taken".

use super::SPOKEN;
use super::clock::Watch;
use super::limits::{
    CANCELS_PER_CALL, HOST_CALL_FUEL, INTENTS_PER_CALL, LOG_LINE_BYTES, LOG_LINES_PER_CALL,
    LOG_LINES_PER_SECOND, Limits, Meter,
};
use super::usage::{LogLine, Usage};
use super::wasi::ClosedWasi;
use super::wire::{EventId, WireIntent, WireLevel};
use pm_arb_core::ids::{InstrumentId, OpportunityId, Seq, Timestamp};
use pm_arb_core::strategy::{Intent, IntentLeg, MAX_LEGS};
use pm_arb_core::units::{Price, Qty, Usd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Result, StoreContextMut, Trap};

/// The interfaces of the world, without their version: what the host offers, and its vocabulary.
const INTERFACES: [&str; 2] = ["pm-arb:strategy/host@", "pm-arb:strategy/types@"];

/// Whether a component that imports this can be linked.
pub(super) fn is_ours(import: &str) -> bool {
    let version = |interface| import.strip_prefix(interface);
    INTERFACES
        .into_iter()
        .find_map(version)
        .is_some_and(|version| SPOKEN.contains(&version))
}

/// The data of one instance's store.
pub(super) struct Guest {
    /// The strategy's name, for the log.
    pub(super) name: Arc<str>,
    /// The present call's event time; also the time that a closed WASI shows.
    pub(super) now: Arc<AtomicU64>,
    /// Whether intents are taken: only while an event is told.
    pub(super) listening: bool,
    /// What the present call submitted.
    pub(super) intents: Vec<Intent>,
    /// Tags the present call cancels.
    pub(super) cancels: Vec<u64>,
    /// When it wants to be woken.
    pub(super) wake_at: Option<Timestamp>,
    /// What it holds.
    pub(super) meter: Meter,
    /// How long its present call takes.
    pub(super) watch: Watch,
    /// Its output.
    pub(super) log: LogBudget,
    /// What it used and wrote, for those who look.
    pub(super) usage: Arc<Usage>,
    /// Made when a guest first asks for it.
    pub(super) wasi: Option<Box<ClosedWasi>>,
}

impl Guest {
    pub(super) fn new(name: &str, limits: &Limits) -> Self {
        Self {
            name: name.into(),
            now: Arc::new(AtomicU64::new(0)),
            listening: false,
            intents: Vec::new(),
            cancels: Vec::new(),
            wake_at: None,
            meter: Meter::new(limits),
            watch: Watch::default(),
            log: LogBudget::default(),
            usage: Arc::default(),
            wasi: None,
        }
    }

    /// A new call begins, with a budget of its own.
    pub(super) fn begin(&mut self, listening: bool) {
        self.listening = listening;
        self.intents.clear();
        self.cancels.clear();
        self.wake_at = None;
        self.meter.refused = false;
        self.log.in_call = 0;
        self.log.last_error = None;
    }
}

/// How much a strategy may still write.
#[derive(Debug, Default)]
pub(super) struct LogBudget {
    second: u64,
    in_second: u32,
    in_call: u32,
    suppressed: u64,
    /// The last error line of the present call: a panic's message.
    pub(super) last_error: Option<String>,
}

impl LogBudget {
    /// Whether one more line may be written, and how many were not since the last one.
    fn take(&mut self, now: Timestamp) -> Option<u64> {
        if now.secs() != self.second {
            self.second = now.secs();
            self.in_second = 0;
        }
        if self.in_call >= LOG_LINES_PER_CALL || self.in_second >= LOG_LINES_PER_SECOND {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.in_call += 1;
        self.in_second += 1;
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Writes a line and tells it, unless too much was written.
    fn write(
        &mut self,
        name: &str,
        now: Timestamp,
        level: WireLevel,
        text: &str,
    ) -> Option<LogLine> {
        let line = printable(text);
        if matches!(level, WireLevel::Error) {
            self.last_error = Some(line.clone());
        }
        let suppressed = self.take(now)?;
        if suppressed > 0 {
            tracing::warn!(target: "strategy", strategy = name, "{suppressed} lines were not written");
        }
        match level {
            WireLevel::Debug => tracing::debug!(target: "strategy", strategy = name, "{line}"),
            WireLevel::Info => tracing::info!(target: "strategy", strategy = name, "{line}"),
            WireLevel::Warn => tracing::warn!(target: "strategy", strategy = name, "{line}"),
            WireLevel::Error => tracing::error!(target: "strategy", strategy = name, "{line}"),
        }
        Some(LogLine {
            at: now,
            level: match level {
                WireLevel::Debug => "debug",
                WireLevel::Info => "info",
                WireLevel::Warn => "warn",
                WireLevel::Error => "error",
            },
            text: line,
        })
    }
}

/// A guest's text as one line: control characters (colours, line breaks, bells) become spaces.
pub(super) fn printable(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if line.len() + c.len_utf8() > LOG_LINE_BYTES {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// Offers the host's functions to every component linked with it, under every version's name: they are
/// the same in all of them.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    for version in SPOKEN {
        let [interface, _] = INTERFACES;
        let mut host = linker.instance(&format!("{interface}{version}"))?;
        host.func_wrap("log", log)?;
        host.func_wrap("submit", submit)?;
        host.func_wrap("cancel", cancel)?;
        host.func_wrap("wake-at", wake_at)?;
    }
    Ok(())
}

/// Takes the fuel of a call of the host, and of the bytes it reads.
pub(super) fn charge(store: &mut StoreContextMut<'_, Guest>, bytes: usize) -> Result<()> {
    let cost = HOST_CALL_FUEL.saturating_add(bytes as u64);
    match store.get_fuel()?.checked_sub(cost) {
        Some(left) => store.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}

fn log(mut store: StoreContextMut<'_, Guest>, (level, text): (WireLevel, WasmStr)) -> Result<()> {
    let (line, bytes) = {
        let text = text.to_str(&store)?;
        let cut = text.floor_char_boundary(LOG_LINE_BYTES + 1);
        (text.get(..cut).unwrap_or_default().to_owned(), text.len())
    };
    charge(&mut store, bytes)?;
    let guest = store.data_mut();
    let now = Timestamp(guest.now.load(Ordering::Relaxed));
    if let Some(line) = guest.log.write(&guest.name, now, level, &line) {
        guest.usage.wrote(line);
    }
    Ok(())
}

fn submit(mut store: StoreContextMut<'_, Guest>, (wire,): (WireIntent,)) -> Result<(bool,)> {
    charge(&mut store, 0)?;
    let taken = store.data().intents.len();
    let legs = wire.legs.len();
    if !store.data().listening || taken >= INTENTS_PER_CALL || legs == 0 || legs > MAX_LEGS {
        return Ok((false,));
    }
    let legs = wire
        .legs
        .iter(&mut store)?
        .map(|leg| {
            leg.map(|leg| IntentLeg {
                instrument: InstrumentId(leg.instrument),
                buy: leg.buy,
                limit: Price(leg.limit),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    store.data_mut().intents.push(Intent {
        opportunity: wire
            .opportunity
            .map(|EventId { seq, n }| OpportunityId { seq: Seq(seq), n }),
        tag: wire.tag,
        legs,
        qty: Qty(wire.qty),
        time_in_force: wire.time_in_force.into(),
        expected_edge: Usd(wire.expected_edge),
    });
    Ok((true,))
}

fn cancel(mut store: StoreContextMut<'_, Guest>, (tag,): (u64,)) -> Result<(bool,)> {
    charge(&mut store, 0)?;
    let guest = store.data_mut();
    let taken = guest.listening && guest.cancels.len() < CANCELS_PER_CALL;
    if taken {
        guest.cancels.push(tag);
    }
    Ok((taken,))
}

fn wake_at(mut store: StoreContextMut<'_, Guest>, (at,): (u64,)) -> Result<()> {
    charge(&mut store, 0)?;
    let guest = store.data_mut();
    if guest.listening {
        let at = Timestamp(at);
        guest.wake_at = Some(guest.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
    Ok(())
}
