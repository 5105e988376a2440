#!/usr/bin/env bash
# Makes a book of docs/: target/book/index.html, with mdBook, which is compiled once when it is not installed.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

MDBOOK_VERSION=0.5.4
TOOLS=$HOST_TARGET/tools

need_rust
MDBOOK=$(command -v mdbook || echo "$TOOLS/bin/mdbook")
[[ -x $MDBOOK ]] || (cd "$ROOT" && CARGO_TARGET_DIR=$TOOLS/build cargo install mdbook --version "$MDBOOK_VERSION" \
    --locked --debug --no-default-features --features search --root "$TOOLS") >&2 ||
    die "mdbook $MDBOOK_VERSION could not be installed" "run: cargo install mdbook --version $MDBOOK_VERSION --locked"
"$MDBOOK" build "$ROOT/docs" --dest-dir "$HOST_TARGET/book"
say "$HOST_TARGET/book/index.html"
