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
        if has strategies; then
            # The guests as they are built, and their tests as they run: natively.
            "$ROOT/scripts/guest-target.sh"
            (cd "$ROOT/strategies" && unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS &&
                cargo clippy --workspace --locked --target $GUEST_TRIPLE -- -D warnings &&
                cargo clippy --workspace --tests --locked --target "$host" -- -D warnings)
        fi
        ;;
    *) die "usage: lint.sh format | clippy | fix" ;;
esac
