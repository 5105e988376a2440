//! Polymarket: market channel, Gamma catalogue, book hash.
//!
//! [`Decoder`] turns the market channel's frames into events, [`gamma`] market objects into
//! specifications and outcomes, [`hash`] proves that a book was received whole. [`run`] watches the
//! venue: it finds markets and has connections carry them.

/// Frames of the market channel.
mod decode;
/// Market objects of the Gamma API.
pub mod gamma;
/// Rules told in words.
mod gamma_rules;
/// The book hash.
pub mod hash;
/// The fast scanner for the frames that come thousands of times a second.
mod scan;
/// One connection of the market channel.
mod shard;
/// The task that watches the venue.
mod watcher;
/// The same frames, and the rare ones, through `serde_json`.
mod wire;

pub use decode::{Decoder, FrameCounts, FrameError};
pub use watcher::{PolymarketConfig, run};

#[cfg(test)]
mod tests;
