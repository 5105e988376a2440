//! The measured strategy's component, and the host that runs it.
//!
//! `scripts/bench.sh` builds it and leaves it beside the crate it comes from.

use crate::measure::Outcome;
use pm_arb::plugin::{Limits, PluginHost};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/once-a-second.wasm");

/// Its bytes.
pub fn bytes() -> Outcome<Vec<u8>> {
    std::fs::read(PATH)
        .map_err(|error| format!("{PATH}: {error}; scripts/bench.sh builds it").into())
}

/// A host as the pilot has it.
pub fn host() -> Outcome<PluginHost> {
    Ok(PluginHost::new(Limits::default())?)
}

/// The same with the wall-clock backstop of a pilot that trades live.
pub fn live_host() -> Outcome<PluginHost> {
    let host = PluginHost::live(Limits::default(), None)?;
    host.go_live()?;
    Ok(host)
}

/// The same component with other bytes: a custom section with a number at its end.
pub fn variant(bytes: &[u8], number: u32) -> Vec<u8> {
    let mut variant = bytes.to_vec();
    // Section id 0, its length, the length of its name, the name, the contents.
    variant.extend_from_slice(&[0, 10, 5]);
    variant.extend_from_slice(b"bench");
    variant.extend_from_slice(&number.to_le_bytes());
    variant
}
