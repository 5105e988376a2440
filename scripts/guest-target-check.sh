#!/usr/bin/env bash
# Proves that the guests build where rustup cannot download: in a copy of the project, with a copy of
# the toolchain that lacks the wasm target and with a closed port for rustup's server.
# Exit code 69: this machine cannot show it (no rustup, or no source for the standard library in reach).
set -euo pipefail
source "$(dirname "$0")/lib.sh"

CLOSED=http://127.0.0.1:9
# Not under strategies/, whose .cargo/config.toml would apply a second time.
check=$HOST_TARGET/guest-target-check

need_rust
have rustup || STATUS=$UNREACHABLE die "this machine's Rust is not rustup's: there is no download to cut off"
[[ -n $(strategy_crates) ]] || STATUS=$UNREACHABLE die "strategies/ holds no crate that builds a component: nothing to prove with"
(cd "$ROOT" && cargo build --workspace --locked --bin componentize)

rm -rf "$check"
trap 'rm -rf "$check"' EXIT
toolchain=$check/rustup/toolchains/$RUST_VERSION-$(cd "$ROOT" && rustc -vV | sed -n 's/^host: //p')
mkdir -p "$toolchain/lib" "$check/project"

# The toolchain without the target. Links cost nothing; the two files that change are written anew.
sysroot=$(cd "$ROOT" && realpath "$(rustc --print sysroot)")
copy() { cp -al "$1" "$2" 2>/dev/null || cp -a --reflink=auto "$1" "$2"; }
copy "$sysroot/bin" "$toolchain/"
for part in "$sysroot"/lib/*; do
    [[ $part == */rustlib ]] || copy "$part" "$toolchain/lib/"
done
mkdir "$toolchain/lib/rustlib"
for part in "$sysroot"/lib/rustlib/*; do
    case ${part##*/} in
        wasm32-* | manifest-rust-std-wasm32-* | src) ;;
        components) grep -v wasm32 "$part" >"$toolchain/lib/rustlib/components" ;;
        # One table a component; those that name a wasm target go.
        multirust-config.toml) awk 'BEGIN { RS = "\n\n"; ORS = "\n\n" } !/wasm32/' "$part" \
            >"$toolchain/lib/rustlib/multirust-config.toml" ;;
        *) copy "$part" "$toolchain/lib/rustlib/" ;;
    esac
done
printf 'version = "12"\nprofile = "minimal"\n' >"$check/rustup/settings.toml"

# The project without anything built.
cp "$ROOT/rust-toolchain.toml" "$check/project/"
(cd "$ROOT" && tar -c --exclude strategies/target --exclude '*.wasm' scripts strategies $(compgen -G wit)) |
    tar -x -C "$check/project"

export RUSTUP_HOME=$check/rustup RUSTUP_DIST_SERVER=$CLOSED RUSTUP_TOOLCHAIN=${toolchain##*/}
unset CARGO_TARGET_DIR
cd "$check/project"
! compgen -G "$(rustc --print target-libdir --target $GUEST_TRIPLE)/*.rlib" >/dev/null ||
    die "the copied toolchain still has $GUEST_TRIPLE: this run would prove nothing"
scripts/guests.sh "$HOST_TARGET/debug/componentize"
[[ -e strategies/target/wasm-std.toml ]] || die "the guests were built, but not against a library built from source"
while read -r crate; do
    [[ -s strategies/$crate.wasm ]] || die "no component was built from strategies/$crate"
done < <(strategy_crates)
say "the guests build with rustup's server out of reach"
