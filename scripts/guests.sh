#!/usr/bin/env bash
# Builds every strategy crate and leaves one component each: strategies/NAME.wasm.
# Usage: guests.sh [COMPONENTIZE]   the built tools/componentize binary; built here when not named
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need_rust
mapfile -t crates < <(strategy_crates)
if ((${#crates[@]} == 0)); then
    say "strategies/ holds no crate that builds a component"
    exit 0
fi
componentize=${1:-$HOST_TARGET/debug/componentize}
(($# > 0)) || (cd "$ROOT" && cargo build --workspace --locked --bin componentize)
"$ROOT/scripts/guest-target.sh"
# Flags meant for the host would replace those of strategies/.cargo/config.toml.
(cd "$ROOT/strategies" && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
    cargo build --release --locked --target $GUEST_TRIPLE)
for crate in "${crates[@]}"; do
    "$componentize" "$GUEST_TARGET/$GUEST_TRIPLE/release/${crate//-/_}.wasm" "$ROOT/strategies/$crate.wasm"
    say "strategies/$crate.wasm: $(stat -c %s "$ROOT/strategies/$crate.wasm") bytes"
done
