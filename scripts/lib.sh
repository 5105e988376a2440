# shellcheck shell=bash
# Shared by the scripts beside it: where things are, how a message looks, how what is missing is got.
# Sourced, never run. Nothing here builds or tests anything.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
GUEST_TRIPLE=wasm32-unknown-unknown
RUST_VERSION=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$ROOT/rust-toolchain.toml")

# One target folder per workspace, unless the caller names one for all. A relative one means the root.
if [[ -n ${CARGO_TARGET_DIR:-} ]]; then
    [[ $CARGO_TARGET_DIR == /* ]] || CARGO_TARGET_DIR=$ROOT/$CARGO_TARGET_DIR
    export CARGO_TARGET_DIR
fi
HOST_TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
GUEST_TARGET=${CARGO_TARGET_DIR:-$ROOT/strategies/target}

say() { printf '== %s\n' "$*" >&2; }

# die WHAT [NEXT STEP...]; STATUS is the exit code when it is not 1.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '  help: %s\n' "$@" >&2
    exit "${STATUS:-1}"
}

# Exit code: something outside this machine is out of reach (sysexits' EX_UNAVAILABLE).
UNREACHABLE=69

have() { command -v "$1" >/dev/null 2>&1; }

# need_packages WHY PACKAGE...: installs Debian packages as root, or says what to install.
# Services the packages bring are not started: what a test needs it starts itself.
need_packages() {
    local why=$1
    shift
    have apt-get || die "$why" "install what Debian calls: $*"
    [[ $(id -u) == 0 ]] || die "$why" "as root: apt-get update && apt-get install --no-install-recommends $*"
    say "$why: installing $*"
    install_packages "$@" >&2 || die "$why, and apt-get could not install $*" \
        "run: apt-get update && apt-get install --no-install-recommends $*"
}

install_packages() (
    guard=/usr/sbin/policy-rc.d
    if [[ ! -e $guard ]]; then
        trap 'rm -f "$guard"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
    fi
    export DEBIAN_FRONTEND=noninteractive
    # A third-party source of this machine that is out of reach is no reason to stop.
    apt-get -qq -o DPkg::Lock::Timeout=300 update || true
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" </dev/null
)

# need_rust: a cargo of the pinned version that runs here, and a linker for it.
need_rust() {
    have cargo || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin
    have cargo || die "cargo is not installed" "install Rust $RUST_VERSION with rustup"
    if ! (cd "$ROOT" && rustc --version) >/dev/null 2>&1; then
        have rustup || die "rustc does not run" "install Rust $RUST_VERSION with rustup"
        use_same_version || (cd "$ROOT" && rustup toolchain install "$RUST_VERSION" \
            --profile minimal --component rustfmt --component clippy) >&2 ||
            die "Rust $RUST_VERSION is not installed and could not be downloaded" \
                "run: rustup toolchain install $RUST_VERSION"
    fi
    local found
    found=$(cd "$ROOT" && rustc --version | cut -d' ' -f2)
    [[ $(printf '%s\n' "$RUST_VERSION" "${found%%-*}" | sort -V | head -n1) == "$RUST_VERSION" ]] ||
        die "Rust $found is older than $RUST_VERSION" "run: rustup toolchain install $RUST_VERSION"
    have cc || need_packages "no C compiler (Rust links with it, SQLite is C)" gcc libc6-dev
}

# The pinned version may be installed under another name, usually `stable`.
use_same_version() {
    local name
    while read -r name _; do
        if [[ $(rustup run "$name" rustc --version 2>/dev/null) == "rustc $RUST_VERSION "* ]]; then
            say "Rust $RUST_VERSION: using the installed toolchain $name"
            export RUSTUP_TOOLCHAIN=$name
            return 0
        fi
    done < <(rustup toolchain list 2>/dev/null)
    return 1
}

# need_component NAME COMMAND...: COMMAND works, perhaps after `rustup component add NAME`.
need_component() {
    local name=$1
    shift
    (cd "$ROOT" && "$@") >/dev/null 2>&1 && return
    have rustup && (cd "$ROOT" && rustup component add "$name") >&2 &&
        (cd "$ROOT" && "$@") >/dev/null 2>&1 ||
        die "$name is missing for Rust $RUST_VERSION" "run: rustup component add $name"
}

# strategy_crates: the names of the crates under strategies/ that become components, one a line.
strategy_crates() {
    local manifest
    for manifest in "$ROOT"/strategies/*/Cargo.toml; do
        if [[ -e $manifest ]] && grep -q '^crate-type.*cdylib' "$manifest"; then
            sed -n 's/^name = "\(.*\)"$/\1/p;/^name = /q' "$manifest"
        fi
    done
}
