//! The closed WASI: for guests whose toolchain imports it, whether they use it or not.
//!
//! No files, no sockets, no environment, no arguments, nothing on standard input; output goes
//! nowhere. The clocks show the event's time and randomness is the same in every run, so that a
//! replay meets the same world. It never sleeps and never waits for what is not ready: that would hold the
//! engine's thread, where no fuel and no clock could end it.

use super::imports::Guest;
use super::limits::HANDLES_MAX;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Result, StoreContextMut, format_err};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::sync::io::poll::HostPollable;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

/// The packages a guest may import, in version 0.2.
pub(super) const PACKAGES: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];
/// The version of the interfaces that `wasmtime-wasi` links.
const CLOCK_INTERFACE: &str = "wasi:clocks/monotonic-clock@0.2.12";
const POLL_INTERFACE: &str = "wasi:io/poll@0.2.12";
/// Why a wait ends the instance.
const NEVER_READY: &str =
    "it tried to wait for what will never be ready; ask the host with wake-at instead";
/// The source of randomness repeats after this many bytes.
const RANDOM_BYTES: u64 = 4_096;
/// Random bytes of one request.
const RANDOM_REQUEST_MAX: u64 = 4_096;

/// What one guest sees of the world.
pub(super) struct ClosedWasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

/// Event time, in both of WASI's forms.
struct EventClock(Arc<AtomicU64>);

impl HostWallClock for EventClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for EventClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClosedWasi {
    fn new(now: &Arc<AtomicU64>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let ctx = WasiCtxBuilder::new()
            .wall_clock(EventClock(Arc::clone(now)))
            .monotonic_clock(EventClock(Arc::clone(now)))
            .secure_random(Deterministic::new(noise(1)))
            .insecure_random(Deterministic::new(noise(2)))
            .insecure_random_seed(3)
            .max_random_size(RANDOM_REQUEST_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self { ctx, table }
    }
}

/// Bytes without a pattern, the same in every run (SplitMix64).
fn noise(seed: u64) -> Vec<u8> {
    (0..RANDOM_BYTES / 8)
        .flat_map(|i| {
            let mut z = (seed << 32)
                .wrapping_add(i)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()
        })
        .collect()
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let now = &self.now;
        let wasi = self
            .wasi
            .get_or_insert_with(|| Box::new(ClosedWasi::new(now)));
        WasiCtxView {
            ctx: &mut wasi.ctx,
            table: &mut wasi.table,
        }
    }
}

/// Offers it to the components linked with it.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    let mut clock = linker.instance(CLOCK_INTERFACE)?;
    clock.func_wrap("subscribe-duration", refuse_to_wait)?;
    clock.func_wrap("subscribe-instant", refuse_to_wait)?;
    let mut polls = linker.instance(POLL_INTERFACE)?;
    polls.func_wrap("poll", poll)?;
    polls.func_wrap("[method]pollable.block", block)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Which of them are ready now; that none is, is a fault.
fn poll(
    mut store: StoreContextMut<'_, Guest>,
    (pollables,): (Vec<Resource<DynPollable>>,),
) -> Result<(Vec<u32>,)> {
    let table = store.data_mut().ctx().table;
    let mut ready = Vec::new();
    for (n, pollable) in (0_u32..).zip(pollables) {
        if HostPollable::ready(table, pollable)? {
            ready.push(n);
        }
    }
    if ready.is_empty() {
        return Err(format_err!(NEVER_READY));
    }
    Ok((ready,))
}

fn block(
    mut store: StoreContextMut<'_, Guest>,
    (pollable,): (Resource<DynPollable>,),
) -> Result<()> {
    if HostPollable::ready(store.data_mut().ctx().table, pollable)? {
        return Ok(());
    }
    Err(format_err!(NEVER_READY))
}

fn refuse_to_wait(_: StoreContextMut<'_, Guest>, (_,): (u64,)) -> Result<(Resource<DynPollable>,)> {
    Err(format_err!(
        "it tried to wait on a clock; ask the host with wake-at instead"
    ))
}
