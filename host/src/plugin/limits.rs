//! Every limit a strategy runs under, in one place, and the limiter that enforces those of memory.
//!
//! All but the times are functions of what the strategy did: a replay meets the same ones at the same
//! instruction. The times hold for live pilots only, and what they end is journalled; see `clock`.

use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::strategy::{MAX_CANCELS_PER_CALL, MAX_INTENTS_PER_CALL};
use std::time::Duration;
use wasmtime::{ResourceLimiter, Result};

/// What one strategy may use. The defaults fit Rust components; other toolchains need more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of a component file.
    pub file_bytes: usize,
    /// Functions of all its modules.
    pub functions: u64,
    /// Code of one function.
    pub function_bytes: u64,
    /// Time that a pilot gives the compiler for new bytes, by the wall clock.
    pub compile_time: Duration,
    /// Memory that it gives the compiler for them.
    pub compile_bytes: u64,
    /// Fuel (about one per instruction, and one per byte of a bulk copy) of one event.
    pub call_fuel: u64,
    /// Fuel of the rare calls: instantiation, describe, init, snapshot, restore.
    pub setup_fuel: u64,
    /// Time of one event, where the clock is a limit: of a live pilot.
    pub call_time: Duration,
    /// Time of one of the rare calls, likewise.
    pub setup_time: Duration,
    /// All linear memories of an instance together.
    pub memory_bytes: usize,
    /// A snapshot.
    pub snapshot_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 8 << 20,
            functions: 20_000,
            function_bytes: 512 << 10,
            compile_time: Duration::from_secs(5),
            compile_bytes: 1 << 30,
            call_fuel: 20_000_000,
            setup_fuel: 400_000_000,
            call_time: Duration::from_millis(25),
            setup_time: Duration::from_millis(500),
            memory_bytes: 32 << 20,
            snapshot_bytes: 1 << 20,
        }
    }
}

/// A larger file brings an interpreter with it (Python has about 18 MB, JavaScript about 12) and runs
/// under [`Limits::interpreted`].
pub const INTERPRETED_ABOVE: usize = 8 << 20;

impl Limits {
    /// What a component with an interpreter in it may use: starting one takes many more instructions, and
    /// every line of a script some hundred.
    #[must_use]
    pub fn interpreted() -> Self {
        Self {
            file_bytes: 32 << 20,
            functions: 100_000,
            function_bytes: 4 << 20,
            compile_time: Duration::from_secs(60),
            compile_bytes: 4 << 30,
            call_fuel: 200_000_000,
            setup_fuel: 4_000_000_000,
            call_time: Duration::from_millis(250),
            setup_time: Duration::from_secs(10),
            memory_bytes: 64 << 20,
            ..Self::default()
        }
    }

    /// The same, and no more memory and fuel than a strategy may.
    #[must_use]
    pub fn within(self, may: &Capabilities) -> Self {
        let memory = may
            .memory_bytes
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        Self {
            memory_bytes: memory.map_or(self.memory_bytes, |most| most.min(self.memory_bytes)),
            call_fuel: may
                .call_fuel
                .map_or(self.call_fuel, |most| most.min(self.call_fuel)),
            ..self
        }
    }
}

/// How often the clock that ends slow calls is looked at.
pub const TICK: Duration = Duration::from_millis(1);
/// Modules and components within a component.
pub const MODULES_MAX: u64 = 64;
/// How deep they may lie within one another.
pub const NESTING_MAX: u64 = 8;
/// Types, imports, exports, globals, segments and the like, of all modules.
pub const ITEMS_MAX: u64 = 100_000;
/// Variables of a function.
pub const LOCALS_MAX: u64 = 10_000;
/// Blocks, loops and conditions within one another.
pub const BLOCKS_DEEP_MAX: u64 = 2_000;
/// Places that the branch tables of a function name.
pub const BRANCHES_MAX: u64 = 65_536;
/// Elements of all tables of an instance together.
pub const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Core instances, memories and tables of a component (a toolchain with adapters needs several).
pub const PARTS_MAX: usize = 32;
/// Live component-model handles.
pub const HANDLES_MAX: usize = 1_024;
/// Bytes a guest may hand over in one crossing beyond a snapshot: log text, one intent.
pub const CROSSING_BYTES_MAX: usize = 64 << 10;
/// Fuel that a call of the host costs, besides one per byte handed over. It bounds how long a call
/// may keep the host busy on the strategy's behalf.
pub const HOST_CALL_FUEL: u64 = 1_000;
/// Lines of log of one call; the rest is counted.
pub const LOG_LINES_PER_CALL: u32 = 16;
/// Lines of log of one second of event time; the rest is counted.
pub const LOG_LINES_PER_SECOND: u32 = 50;
/// Bytes of a line of log; the rest is cut.
pub const LOG_LINE_BYTES: usize = 400;
/// Intents of one call; see the core.
pub const INTENTS_PER_CALL: usize = MAX_INTENTS_PER_CALL;
/// Cancels of one call; see the core.
pub const CANCELS_PER_CALL: usize = MAX_CANCELS_PER_CALL;
/// Settings handed to a strategy.
pub const PARAMS_MAX: usize = 64;
/// Bytes of a strategy's name or version.
pub const NAME_BYTES: usize = 64;

/// Entries of one list of what a strategy asks for.
pub const WANTS_MAX: usize = 32;

/// Sums what an instance holds, over all its memories and tables.
#[derive(Debug)]
pub(super) struct Meter {
    memory_max: usize,
    memory: usize,
    elements: usize,
    /// It asked for more than it may since this was last cleared.
    pub(super) refused: bool,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_max: limits.memory_bytes,
            memory: 0,
            elements: 0,
            refused: false,
        }
    }

    /// Bytes of all its memories.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    fn grow(used: &mut usize, current: usize, desired: usize, max: usize) -> bool {
        let wanted = used.saturating_add(desired.saturating_sub(current));
        let granted = wanted <= max;
        if granted {
            *used = wanted;
        }
        granted
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let granted = Self::grow(&mut self.memory, current, desired, self.memory_max);
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let granted = Self::grow(&mut self.elements, current, desired, TABLE_ELEMENTS_MAX);
        self.refused |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}
