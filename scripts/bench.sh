#!/usr/bin/env bash
# Runs the measurements of benches/, beside their peers. ARGS go to the bench program: names of rows,
# --rounds N. What `make build` leaves must be there: the pilot and componentize.
# The row `store` (so also a run of every row) gets a PostgreSQL of its own from with-services.sh.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need_rust
guest=$ROOT/benches/guests/once-a-second
componentize=$HOST_TARGET/release/componentize
[[ -x $componentize ]] || die "$componentize is not built" "run: make build"
"$ROOT/scripts/guest-target.sh"
# Flags meant for the host would replace those of the guests' own configuration.
(cd "$guest" && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
    cargo build --release --locked --target $GUEST_TRIPLE)
"$componentize" "${CARGO_TARGET_DIR:-$guest/target}/$GUEST_TRIPLE/release/once_a_second.wasm" "$guest.wasm"

services=()
wants_store=true
for argument; do
    case $argument in
        store | dashboard) wants_store=true && break ;;
        [a-z]*) wants_store=false ;;
    esac
done
[[ $wants_store == false || -n ${TEST_DATABASE_URL:-} ]] || services=("$ROOT/scripts/with-services.sh")
cd "$ROOT/benches"
cargo build --release --locked
PM_ARB_BIN=${PM_ARB_BIN:-$HOST_TARGET/release/pm-arb} \
    exec "${services[@]}" "${CARGO_TARGET_DIR:-$ROOT/benches/target}/release/pm-arb-bench" "$@"
