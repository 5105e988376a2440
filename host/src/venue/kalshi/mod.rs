//! Kalshi: order book channel, REST catalogue.
//!
//! A market here has bids only, for YES and for NO: a bid for NO at `q` is an offer of YES at `1 − q`.
//! [`Decoder`] folds that into two instruments, `TICKER:yes` and `TICKER:no`, each with both sides.

/// Frames of the WebSocket.
mod decode;
/// What takers and makers pay.
mod fees;
/// Market objects of the REST API.
pub mod rest;
/// Finds markets and outcomes.
mod scout;
/// Proof of identity for the handshake.
mod sign;
/// The task that watches the venue.
mod watcher;

pub use decode::{Decoder, FrameCounts, FrameError};
pub use watcher::{ApiKey, KalshiConfig, run};

#[cfg(test)]
mod tests;
