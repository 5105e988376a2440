//! Venues: what they send, turned into facts.
//!
//! Each venue has a decoder (pure functions over text, shared by the live watcher and the importers
//! of recordings) and a watcher (a supervised task that owns the sockets). Nothing here decides
//! anything: unusable input is refused and counted, never repaired by a guess.

/// polymarket.com
pub mod polymarket;

#[cfg(test)]
mod recordings;
