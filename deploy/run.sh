#!/usr/bin/env bash
# Builds Countersign and starts it in the foreground.
#
#   bash deploy/run.sh [ARGUMENTS OF countersign serve]
#
# With nothing configured it serves http://localhost:8080, with its database in data/ and its master key in keys/
# below the repository. COUNTERSIGN_CONFIG and COUNTERSIGN__SECTION__KEY are read from the environment as always.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/packages.sh

find_cargo
want_build_packages
install_wanted

binary="${CARGO_TARGET_DIR:-target}/release/countersign"
if [ ! -x "$binary" ]; then
    echo "Building Countersign; the first time takes some minutes."
fi
quiet=()
[ -t 2 ] || quiet=(--quiet)
cargo build --release --locked --bin countersign "${quiet[@]}"

exec "$binary" serve "$@"
