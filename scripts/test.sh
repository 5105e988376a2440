#!/usr/bin/env bash
# Every check and every test, on a clean clone, with the services it needs. Stops at the first failure;
# the last lines are the browser tests' own.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

stage() { say "[$((SECONDS / 60))m$((SECONDS % 60))s] $*"; }

need_rust
need_component rustfmt cargo fmt --version
need_component clippy cargo clippy --version
HOST_TRIPLE=$(cd "$ROOT" && rustc -vV | sed -n 's/^host: //p')
cd "$ROOT"

stage "format"
"$ROOT/scripts/lint.sh" format

stage "lints"
"$ROOT/scripts/lint.sh" clippy

stage "dependencies"
"$ROOT/scripts/deny.sh"

stage "host, tests included"
cargo build --workspace --all-targets --locked

stage "guests"
"$ROOT/scripts/guests.sh" "$HOST_TARGET/debug/componentize"

stage "guests where rustup cannot download"
status=0
"$ROOT/scripts/guest-target-check.sh" || status=$?
case $status in
    0) ;;
    "$UNREACHABLE") say "SKIP guest-target-check: this machine cannot show it (the reason is above)" ;;
    *) die "the guests do not build where rustup cannot download" ;;
esac

stage "tests of the strategies' own logic"
[[ ! -e strategies/Cargo.lock ]] || (cd strategies && cargo test --workspace --locked --target "$HOST_TRIPLE")

stage "unit and documentation tests"
# The services are there for all of them: a unit test of the store needs them as much as the whole run.
"$ROOT/scripts/with-services.sh" bash -euc '
    cargo test --workspace --locked --doc
    cargo test --workspace --locked --lib --bins
    cargo test --workspace --locked --test it
'

stage "the dashboard in a real browser"
exec "$ROOT/scripts/with-services.sh" "$ROOT/scripts/browser.sh"
