#!/usr/bin/env bash
# Runs the measurements of benches/, beside their peers. ARGS go to the bench program.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

need_rust
[[ -e $ROOT/benches/Cargo.toml ]] || die "benches/ holds no measurements"
cd "$ROOT/benches"
exec cargo run --release --locked -- "$@"
