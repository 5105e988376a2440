//! What a strategy asks to be allowed, as a constant.
//!
//! The operator grants; what the strategy may is what it asks for and is granted. It is told nothing of
//! the rest, and its orders there are refused with `NOT_GRANTED`.

use crate::bindings::pm_arb::strategy::types as wire;

/// An empty list, or no number, asks for all there is to grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// "polymarket", "kalshi".
    pub venues: &'static [&'static str],
    /// By what decides a market: "up-down", "candle", "touch", … as in `wit/strategy.wit`.
    pub families: &'static [&'static str],
    /// "binance.btcusdt".
    pub oracles: &'static [&'static str],
    /// Cost of its largest order, in millionths of a dollar.
    pub order_max: Option<i64>,
    /// Intents of one second.
    pub intents_per_second: Option<u32>,
    /// All of its memory.
    pub memory_kib: Option<u32>,
    /// Fuel of one call.
    pub call_fuel: Option<u64>,
}

impl Wants {
    /// Everything.
    pub const ALL: Self = Self {
        venues: &[],
        families: &[],
        oracles: &[],
        order_max: None,
        intents_per_second: None,
        memory_kib: None,
        call_fuel: None,
    };

    /// Every family that an oracle decides: where fair values, and so oracle lag, can be.
    pub const ORACLE_FAMILIES: &'static [&'static str] = &[
        "up-down",
        "up-down-mean",
        "above",
        "candle",
        "touch",
        "mean-above",
    ];
}

impl From<Wants> for wire::Wants {
    fn from(wants: Wants) -> Self {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self {
            venues: names(wants.venues),
            families: names(wants.families),
            oracles: names(wants.oracles),
            order_max: wants.order_max,
            intents_per_second: wants.intents_per_second,
            memory_kib: wants.memory_kib,
            call_fuel: wants.call_fuel,
        }
    }
}
