#!/usr/bin/env bash
# browser.sh [NODE TEST ARGUMENTS]: the dashboard in a real browser, with real pilots behind it. Needs what
# `cargo build` and `make strategies` leave; gets Node and Chromium from Debian's packages where they are missing.
#
# Screenshots of every page, wide and narrow, light and dark, are left in $HOST_TARGET/browser/screenshots.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

NODE_MAJOR_MIN=18
WORK=$HOST_TARGET/browser

node_major() { node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p'; }

have npm && have node || need_packages "no Node (it drives the browser)" nodejs npm
(($(node_major) >= NODE_MAJOR_MIN)) || die "node $(node --version) is older than $NODE_MAJOR_MIN" "install a newer nodejs"
have chromium || need_packages "no Chromium" chromium fonts-liberation

mkdir -p "$WORK"
cp "$ROOT"/tests/browser/package.json "$ROOT"/tests/browser/package-lock.json "$WORK"
(cd "$WORK" && npm ci --silent --no-audit --no-fund --ignore-scripts >&2) ||
    { STATUS=$UNREACHABLE die "npm could not install the browser's driver" "check the network, then run this again"; }

# Tests are modules: they find packages beside themselves, so they run from a copy beside node_modules.
rm -rf "$WORK/tests" "$WORK/screenshots"
mkdir -p "$WORK/tests" "$WORK/screenshots"
cp "$ROOT"/tests/browser/*.js "$WORK/tests"
cd "$WORK"
PM_ARB_BIN=${PM_ARB_BIN:-$HOST_TARGET/debug/pm-arb} PM_ARB_ROOT=$ROOT CHROMIUM=$(command -v chromium) \
    exec node --test --test-concurrency=1 "$@" tests/
