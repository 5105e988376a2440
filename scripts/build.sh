#!/usr/bin/env bash
# Builds target/release/pm-arb and strategies/*.wasm, getting what is missing on the way.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need_rust
(cd "$ROOT" && cargo build --release --workspace --locked)
"$ROOT/scripts/guests.sh" "$HOST_TARGET/release/componentize"
say "built $HOST_TARGET/release/pm-arb"
