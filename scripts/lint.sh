#!/usr/bin/env bash
# lint.sh format | clippy | fix: checks the code's form in every workspace, or formats it.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need_rust
host=$(cd "$ROOT" && rustc -vV | sed -n 's/^host: //p')

# A workspace without a lockfile has no members yet.
has() { [[ -e $ROOT/$1/Cargo.lock ]]; }

case ${1:-} in
    fix)
        for workspace in . strategies benches; do
            ! has "$workspace" || (cd "$ROOT/$workspace" && cargo fmt --all)
        done
        ;;
    format)
        for workspace in . strategies benches; do
            ! has "$workspace" || (cd "$ROOT/$workspace" && cargo fmt --all --check)
        done
        ;;
    clippy)
        # Not benches/: the peers it measures against are heavy, and `make bench` compiles it anyway.
        (cd "$ROOT" && cargo clippy --workspace --all-targets --locked -- -D warnings)
        # Guests are checked with their native tests, so for the machine the tests run on.
        ! has strategies ||
            (cd "$ROOT/strategies" && cargo clippy --workspace --all-targets --locked --target "$host" -- -D warnings)
        ;;
    *) die "usage: lint.sh format | clippy | fix" ;;
esac
