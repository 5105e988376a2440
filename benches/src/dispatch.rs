//! Row `dispatch`: one quote into a component, beside wasmtime's bare typed call of the same export.
//!
//! Ours is `Strategy::on_quote` of the component as the engine calls it: a fresh budget of fuel and
//! output, the translation of the quote, the call, what it submitted taken over. Bare is a
//! `TypedFunc::call` of `on-quote` of the same file in the same process, compiled without metering of
//! fuel, without limits, its imports replaced by traps. Time stands still, so the strategy reads the
//! prices and submits nothing.

use crate::Settings;
use crate::guest;
use crate::measure::{Case, Goal, Outcome, Row, interleave};
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::strategy::{Output, Quote, Strategy};
use pm_arb_core::units::{Price, Qty};
use wasmtime::component::{Component, ComponentType, Lift, Linker, Lower, TypedFunc};
use wasmtime::{Config, Engine, Store};

/// Calls of one round.
const CALLS: u32 = 400_000;

#[derive(Clone, Copy, ComponentType, Lower, Lift)]
#[component(record)]
struct WireQuote {
    instrument: u32,
    #[component(name = "bid-price")]
    bid_price: i64,
    #[component(name = "bid-qty")]
    bid_qty: i64,
    #[component(name = "ask-price")]
    ask_price: i64,
    #[component(name = "ask-qty")]
    ask_qty: i64,
}

/// The bare call.
struct Bare {
    store: Store<()>,
    on_quote: TypedFunc<(u64, WireQuote), ()>,
}

impl Bare {
    fn new(bytes: &[u8], fuel: bool) -> Outcome<Self> {
        let mut config = Config::new();
        config.concurrency_support(false).consume_fuel(fuel);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, bytes)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&engine, ());
        if fuel {
            store.set_fuel(u64::MAX)?;
        }
        let instance = linker.instantiate(&mut store, &component)?;
        let init = instance.get_typed_func::<(Vec<(String, String)>,), (Result<(), String>,)>(
            &mut store, "init",
        )?;
        init.call(&mut store, (Vec::new(),))?.0?;
        let on_quote = instance.get_typed_func(&mut store, "on-quote")?;
        Ok(Self { store, on_quote })
    }

    fn call(&mut self, n: u32) -> wasmtime::Result<()> {
        let price = 400_000 + i64::from(n % 100) * 1_000;
        let quote = WireQuote {
            instrument: 0,
            bid_price: price,
            bid_qty: 1_000_000,
            ask_price: price + 2_000,
            ask_qty: 1_000_000,
        };
        self.on_quote.call(&mut self.store, (0, quote))
    }
}

/// Measures.
pub fn measure(settings: &Settings, _: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let bytes = guest::bytes()?;
    let host = guest::host()?;
    let mut ours = host.instantiate(&host.compile(&bytes)?, &[])?;
    let (mut bare, mut metered) = (Bare::new(&bytes, false)?, Bare::new(&bytes, true)?);
    let mut out = Output::default();
    let mut cases = [
        Case::new("ours", |watch| {
            watch.time(|| {
                for n in 0..CALLS {
                    let price = Price(400_000 + i64::from(n % 100) * 1_000);
                    let quote = Quote {
                        instrument: InstrumentId(0),
                        bid: Some((price, Qty(1_000_000))),
                        ask: Some((Price(price.0 + 2_000), Qty(1_000_000))),
                    };
                    ours.on_quote(Timestamp(0), &quote, &mut out)?;
                }
                Ok(())
            })
        }),
        Case::new("bare", |watch| {
            Ok(watch.time(|| (0..CALLS).try_for_each(|n| bare.call(n)))?)
        }),
        Case::new("bare, metered", |watch| {
            Ok(watch.time(|| (0..CALLS).try_for_each(|n| metered.call(n)))?)
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [ours, bare, metered] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let row = |what, theirs, goal| Row::longer(what, (ours, theirs), f64::from(CALLS), goal);
    Ok(vec![
        row(
            "dispatch of a quote into a component beside wasmtime's bare typed call (times as long)",
            bare,
            Goal::AtMost(1.15),
        ),
        row(
            "the same beside a bare call of code that counts fuel (times as long)",
            metered,
            Goal::None,
        ),
    ])
}
