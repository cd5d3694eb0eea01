#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences and sources always, advisories where their database is at hand.
#
#   bash tests/licences.sh
#
# The last line it prints says what was checked. It fails for what it found, never for a database it could not reach.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# --all-features and no platform filter: what could be built, not only what is built here.
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
cargo metadata --locked --format-version 1 --all-features >"$metadata"
counted=$(python3 tests/tools/licences.py deny.toml "$metadata")

# The advisory tools fetch their database when it is old. Without a network they can only use one that is there.
database=${CARGO_HOME:-$HOME/.cargo}
if cargo deny --version >/dev/null 2>&1 && compgen -G "$database/advisory-dbs/*" >/dev/null; then
    cargo deny --locked --offline check advisories bans
    advisories="advisories checked with cargo-deny"
elif cargo audit --version >/dev/null 2>&1 && [ -d "$database/advisory-db" ]; then
    ignored=()
    for id in $(python3 tests/tools/licences.py --ignored-advisories deny.toml); do
        ignored+=(--ignore "$id")
    done
    cargo audit --no-fetch --stale "${ignored[@]}"
    advisories="advisories checked with cargo-audit"
else
    advisories="advisories NOT checked (neither cargo-deny nor cargo-audit with a database is here)"
fi
echo "$counted; $advisories"
