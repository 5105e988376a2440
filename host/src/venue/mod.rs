//! Venues: what they send, turned into facts.
//!
//! Each venue has a decoder (pure functions over text, shared by the live watcher and the importers
//! of recordings) and a watcher (a supervised task that owns the sockets). Nothing here decides
//! anything: unusable input is refused and counted, never repaired by a guess.

/// kalshi.com
pub mod kalshi;
mod left_out;
/// polymarket.com
pub mod polymarket;

/// One public address of each service watched by default: what a health check tries.
#[must_use]
pub fn probe_urls() -> Vec<(&'static str, String)> {
    let polymarket = polymarket::PolymarketConfig::default();
    let kalshi = kalshi::KalshiConfig::default();
    let host = |url: &str| url.replacen("wss://", "https://", 1);
    vec![
        ("polymarket", polymarket.gamma_url),
        ("polymarket books", host(&polymarket.ws_url)),
        ("kalshi", format!("{}/exchange/status", kalshi.rest_url)),
        (
            "binance",
            host(&crate::oracle::binance::BinanceConfig::default().ws_url),
        ),
        (
            "chainlink",
            host(&crate::oracle::chainlink::ChainlinkConfig::default().ws_url),
        ),
    ]
}

#[cfg(test)]
pub(crate) mod recordings;
