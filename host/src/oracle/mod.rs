//! Price feeds: what they send, turned into oracle ticks.
//!
//! As with the venues, decoders are pure and shared with the importers; watchers own the sockets.
//! A tick or a candle carries the source's own stamps. Nothing here smooths, fills or compares.

use crate::catalog::Catalog;
use pm_arb_core::event::Event;
use pm_arb_core::ids::OracleId;
use pm_arb_core::market::OracleSpec;

/// Binance spot trades and candles.
pub mod binance;
/// Candles that a stream did not tell.
mod candles;
/// Chainlink, as Polymarket relays it.
pub mod chainlink;
/// One stream, followed for ever.
mod follow;

/// The number of a feed. A feed that is new to the run is announced in `out` first, and the feed
/// that stands in for it (Binance `btcusdt` for Chainlink `btcusd`) before it.
pub fn announce(
    catalog: &mut Catalog,
    source: &str,
    symbol: &str,
    out: &mut Vec<Event>,
) -> OracleId {
    let proxy = (source == chainlink::SOURCE)
        .then(|| announce(catalog, binance::SOURCE, &format!("{symbol}t"), out));
    let (id, is_new) = catalog.list_oracle(source, symbol);
    if is_new {
        out.push(Event::OracleListed(Box::new(OracleSpec {
            id,
            source: source.to_owned(),
            symbol: symbol.to_owned(),
            proxy,
        })));
    }
    id
}

#[cfg(test)]
mod tests;
