#!/usr/bin/env bash
# Makes the standard library for wasm32-unknown-unknown available to this project's guests.
#
#   already in the toolchain      nothing to do
#   else `rustup target add`      the usual way
#   else built from source        from rust-src if the toolchain or /usr/src has it, or from Debian's
#                                 package rust-src of exactly this Rust version, fetched and verified
#                                 by apt from the mirror this machine already uses
#
# What is built goes to strategies/target/wasm-std, and strategies/.cargo/config.toml includes the
# file that points cargo there when it exists. The toolchain itself is never touched. Exit code 69: no
# source could be had. `make guest-target-check` proves the last way.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

OUT=$ROOT/strategies/target/wasm-std
CONFIG=$ROOT/strategies/target/wasm-std.toml
RUSTUP_SECONDS_MAX=600
# Where Debian keeps compilers newer than its release, nearest first.
SUITES=(trixie-backports trixie forky-backports forky sid)

in_toolchain() {
    compgen -G "$(cd "$ROOT" && rustc --print target-libdir --target $GUEST_TRIPLE)/libcore-*.rlib" >/dev/null
}

compiler() { (cd "$ROOT" && rustc -vV); }

already_built() { [[ -e $CONFIG && -e $OUT/compiler && $(<"$OUT/compiler") == "$(compiler)" ]]; }

# A private apt: this machine's mirrors and keys, our own suite, nothing installed, no root needed.
apt_here() {
    local tool=$1
    shift
    "$tool" -q -o Dir::State="$OUT/apt/state" -o Dir::State::status="$OUT/apt/status" \
        -o Dir::Cache="$OUT/apt/cache" -o Dir::Etc::SourceList="$OUT/apt/sources.list" \
        -o Dir::Etc::SourceParts="$OUT/apt/none" -o APT::Sandbox::User="$(id -un)" "$@"
}

debian_mirrors() {
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sort -u | grep -v security
}

# Leaves the package's path in PACKAGE.
fetch_package() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror suite found
    have apt-get && [[ -e $keyring ]] || return 1
    mkdir -p "$OUT"/apt/{state/lists/partial,cache/archives/partial,none,download}
    : >"$OUT/apt/status"
    for suite in "${SUITES[@]}"; do
        for mirror in $(debian_mirrors); do
            echo "deb [signed-by=$keyring] $mirror $suite main" >"$OUT/apt/sources.list"
            apt_here apt-get update >"$OUT/apt/log" 2>&1 || true
            found=$(apt_here apt-cache madison rust-src 2>/dev/null |
                awk -v v="$RUST" '{ split($3, part, /[+~-]/); if (part[1] == v) { print $3; exit } }')
            [[ -n $found ]] || continue
            say "fetching Debian's rust-src $found from $suite"
            (cd "$OUT/apt/download" && apt_here apt-get download "rust-src=$found" >"$OUT/apt/log" 2>&1) || continue
            PACKAGE=$(compgen -G "$OUT/apt/download/rust-src_*.deb") && return 0
        done
    done
    return 1
}

# Leaves the folder of the library's source in SOURCE.
find_source() {
    local sysroot
    sysroot=$(cd "$ROOT" && rustc --print sysroot)
    for SOURCE in "$sysroot/lib/rustlib/src/rust/library" "/usr/src/rustc-$RUST/library"; do
        [[ ! -e $SOURCE/std/Cargo.toml ]] || return 0
    done
    fetch_package || return 1
    dpkg-deb --fsys-tarfile "$PACKAGE" |
        tar -x -C "$OUT" --strip-components=4 "./usr/src/rustc-$RUST/library"
    SOURCE=$OUT/library
    [[ -e $SOURCE/std/Cargo.toml ]]
}

# Building an empty crate with -Z build-std leaves the library's parts beside it.
build() {
    local sources=() libs=$OUT/sysroot/lib/rustlib/$GUEST_TRIPLE/lib
    if [[ -d $SOURCE/vendor ]]; then
        # The package brings the library's own dependencies: nothing more is downloaded.
        sources=(--offline --config 'source.crates-io.replace-with="vendored"'
            --config "source.vendored.directory=\"$SOURCE/vendor\"")
    fi
    mkdir -p "$OUT/seed/src" "$libs"
    echo '#![no_std]' >"$OUT/seed/src/lib.rs"
    cat >"$OUT/seed/Cargo.toml" <<-TOML
		[package]
		name = "seed"
		edition = "2024"
		[workspace]
		[profile.release]
		panic = "abort"
	TOML
    # Bitcode, because guests link with LTO; bootstrap, because building std is not a stable feature.
    (cd "$OUT/seed" && env -u CARGO_ENCODED_RUSTFLAGS RUSTFLAGS="-C embed-bitcode=yes" RUSTC_BOOTSTRAP=1 \
        __CARGO_TESTS_ONLY_SRC_ROOT="$SOURCE" CARGO_TARGET_DIR="$OUT/seed/target" \
        cargo build --quiet --release -Z build-std=std,panic_abort --target $GUEST_TRIPLE "${sources[@]}") >&2
    cp "$OUT/seed/target/$GUEST_TRIPLE/release/deps/"*.rlib "$libs/"
    rm "$libs"/libseed-*.rlib
}

from_source() {
    RUST=$(compiler | sed -n 's/^release: //p')
    say "building the standard library for $GUEST_TRIPLE from source (Rust $RUST, about half a minute)"
    rm -rf "$OUT" "$CONFIG"
    mkdir -p "$OUT"
    find_source || STATUS=$UNREACHABLE die "no source of Rust $RUST's standard library was found, here or on this machine's Debian mirror" \
        "where rustup can download: rustup target add $GUEST_TRIPLE" \
        "otherwise unpack rust-src $RUST so that /usr/src/rustc-$RUST/library exists"
    build || die "the standard library did not build from $SOURCE"
    rm -rf "$OUT"/{seed,library,apt}
    compiler >"$OUT/compiler"
    printf '[target.%s]\nrustflags = ["--sysroot", "%s"]\n' $GUEST_TRIPLE "$OUT/sysroot" >"$CONFIG.tmp"
    mv "$CONFIG.tmp" "$CONFIG"
    # cargo-component looks for a target of its own before it builds for ours.
    have cargo-component && [[ ! -e $(cd "$ROOT" && rustc --print sysroot)/lib/rustlib/wasm32-wasip1 ]] &&
        say "cargo component will ask rustup for wasm32-wasip1, which nothing here uses; where that fails, an" \
            "empty folder satisfies it: mkdir \"\$(rustc --print sysroot)/lib/rustlib/wasm32-wasip1\""
    return 0
}

need_rust
mkdir -p "$ROOT/strategies/target"
exec 9>"$ROOT/strategies/target/.wasm-std.lock"
flock 9

if in_toolchain; then
    rm -rf "$CONFIG" "$OUT"
    exit 0
fi
if already_built; then
    exit 0
fi
if have rustup; then
    say "adding $GUEST_TRIPLE with rustup"
    if (cd "$ROOT" && RUST_BACKTRACE=0 timeout $RUSTUP_SECONDS_MAX rustup target add $GUEST_TRIPLE 9>&-) >&2 &&
        in_toolchain; then
        exit 0
    fi
    say "rustup could not add $GUEST_TRIPLE"
fi
from_source
