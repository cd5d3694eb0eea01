#!/usr/bin/env bash
# Checks and tests everything, on SQLite and on a private PostgreSQL, and cleans up.
#
#   bash tests/run.sh               format, lints, licences, all tests, documentation
#   bash tests/run.sh refresh       only the tests whose name contains "refresh", with their output as it comes
#   bash tests/run.sh --test oidc   any arguments of cargo test
#
# It installs what is missing (PostgreSQL, Chromium, Node, Python packages) and tells the tests where things are:
#
#   COUNTERSIGN_TEST_POSTGRES       postgres://… of a server in which a test may create databases
#   COUNTERSIGN_TEST_NODE           node, with the packages of tests/clients/node, tests/browser and tests/upstream
#   COUNTERSIGN_TEST_NODE_MODULES   the node_modules folder of tests/clients/node
#   COUNTERSIGN_TEST_PYTHON         a python with the packages of tests/clients/python
#   COUNTERSIGN_TEST_CHROMIUM, COUNTERSIGN_TEST_CHROMEDRIVER
#   COUNTERSIGN_TEST_NGINX          nginx, with auth_request; a test runs one of its own
#   COUNTERSIGN_TEST_CADDY, COUNTERSIGN_TEST_TRAEFIK, COUNTERSIGN_TEST_ENVOY  so do others with these
#
# Servers and files live in one temporary folder, which TMPDIR names for everything that runs here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
. deploy/packages.sh

root=$PWD
scratch=
postgres=
running=

# Ends one process that was started here, and waits for it for a bounded time.
end() {
    local pid=$1 signal=$2 tries=0
    kill "-$signal" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -eq 100 ]; then
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null || true
}

clean_up() {
    local status=$?
    trap - EXIT INT TERM HUP
    [ -z "$running" ] || end "$running" TERM
    [ -z "$postgres" ] || end "$postgres" INT
    [ -z "$scratch" ] || rm -rf "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
    echo "$*" >&2
    exit 1
}

# step NAME LIMIT COMMAND… runs a command within a time limit: one line when it went well, its output when not.
# `timeout` leads a process group of its own, so that ending it ends all that the command started. It runs beside
# this shell because a shell that waits for a foreground command does not hear signals.
step() {
    local name=$1 limit=$2 began=$SECONDS status=0
    shift 2
    timeout --kill-after=5 "$limit" "$@" >"$scratch/output" 2>&1 &
    running=$!
    wait "$running" || status=$?
    running=
    if [ $status -ne 0 ]; then
        grep -vE '^test .* \.\.\. (ok|ignored)$' "$scratch/output" || true
        [ $status -ne 124 ] || echo "(ended after its limit of $limit)"
    fi
    printf '%-14s %-6s %4ds\n' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - began))
    return $status
}

# The highest PostgreSQL that is installed; Debian keeps the server's programs out of PATH.
find_postgres() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$initdb" ] || initdb=$(command -v initdb) || return 1
    dirname "$initdb"
}

start_postgres() {
    local bin data=$scratch/postgres as=() port attempt
    bin=$(find_postgres) || fail "PostgreSQL's initdb was not found."
    mkdir "$data"
    if [ "$(id -u)" -eq 0 ]; then
        # PostgreSQL refuses to run as root; Debian's package made this user.
        id postgres >/dev/null 2>&1 || fail "PostgreSQL cannot run as root, and there is no user postgres."
        as=(setpriv --reuid postgres --regid postgres --init-groups)
        chown postgres "$data"
    fi
    (cd / && "${as[@]}" "$bin/initdb" -D "$data/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C --no-sync) >"$scratch/initdb.log" 2>&1 || fail "initdb: $(cat "$scratch/initdb.log")"

    # Somebody else may take the free port before PostgreSQL does; then another one is tried.
    for attempt in 1 2 3; do
        port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        # As a child of this shell, so that its pid is known and no server of anyone else is ever ended.
        (cd / && exec "${as[@]}" "$bin/postgres" -D "$data/data" -h 127.0.0.1 -p "$port" -k "$data" \
            -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=500 \
            -c shared_buffers=64MB -c max_wal_size=256MB -c autovacuum=off) >"$scratch/postgres.log" 2>&1 &
        postgres=$!
        for _ in $(seq 150); do
            if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; then
                export COUNTERSIGN_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
                return 0
            fi
            kill -0 "$postgres" 2>/dev/null || break
            sleep 0.2
        done
        end "$postgres" INT
        postgres=
    done
    fail "PostgreSQL did not start: $(cat "$scratch/postgres.log")"
}

# Packages are kept between runs, and installed again when the list of them changes.
up_to_date() { [ -f "$1/.installed-from" ] && cmp -s "$1/.installed-from" "$2"; }

install_node_packages() {
    local folder=$1
    up_to_date "$folder/node_modules" "$folder/package-lock.json" && return 0
    step "npm packages" 600 env npm_config_update_notifier=false \
        npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts
    cp "$folder/package-lock.json" "$folder/node_modules/.installed-from"
}

install_python_packages() {
    local venv=$1 list=$2
    up_to_date "$venv" "$list" && return 0
    rm -rf "$venv"
    step "python venv" 120 "$python" -m venv "$venv"
    step "pip packages" 600 "$venv/bin/python" -m pip install --disable-pip-version-check --quiet -r "$list"
    cp "$list" "$venv/.installed-from"
}

# Debian keeps it out of PATH of whoever is not root.
find_nginx() { PATH="$PATH:/usr/sbin:/sbin" command -v nginx; }
chromium_is_here() { has chromium || has chromium-browser; }
python_makes_venvs() { python3 -c 'import ensurepip, venv'; }

find_cargo || exit 1
want_build_packages
want postgresql find_postgres
want chromium chromium_is_here
want chromium-driver has chromedriver
want fonts-liberation sh -c 'ls /usr/share/fonts/truetype/*'
want nodejs has node
want npm has npm
want python3 has python3
want python3-venv python_makes_venvs
want curl has curl
want jq has jq
want nginx-light find_nginx
want caddy has caddy
install_wanted || exit 1

python=$(command -v python3)
node=$(command -v node)
[ "$("$node" -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    fail "The tests' clients need Node 20 or newer; here is $("$node" --version)."

scratch=$(mktemp -d "${TMPDIR:-/tmp}/countersign-test.XXXXXX")
chmod 711 "$scratch" # PostgreSQL's user has to reach its folder inside.
export TMPDIR=$scratch

for folder in tests/clients/node tests/browser tests/upstream; do
    install_node_packages "$folder"
done
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
venv=$target/test-python
install_python_packages "$venv" tests/clients/python/requirements.txt
# Proxies that Debian does not have are programs in packages of Python's.
install_python_packages "$target/test-proxies" tests/forward/requirements.txt
start_postgres

export COUNTERSIGN_TEST_NODE=$node
export COUNTERSIGN_TEST_NODE_MODULES=$root/tests/clients/node/node_modules
export COUNTERSIGN_TEST_PYTHON=$venv/bin/python
COUNTERSIGN_TEST_CHROMIUM=$(command -v chromium || command -v chromium-browser)
COUNTERSIGN_TEST_CHROMEDRIVER=$(command -v chromedriver)
COUNTERSIGN_TEST_NGINX=$(find_nginx)
COUNTERSIGN_TEST_CADDY=$(command -v caddy)
COUNTERSIGN_TEST_TRAEFIK=$target/test-proxies/bin/traefik
COUNTERSIGN_TEST_ENVOY=$target/test-proxies/bin/envoy
export COUNTERSIGN_TEST_CHROMIUM COUNTERSIGN_TEST_CHROMEDRIVER COUNTERSIGN_TEST_NGINX
export COUNTERSIGN_TEST_CADDY COUNTERSIGN_TEST_TRAEFIK COUNTERSIGN_TEST_ENVOY

# A failing property prints what it failed with; its seed file would stay behind in the work tree.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true

# Settings of this shell must not reach the servers under test.
for name in $(compgen -e COUNTERSIGN_ | grep -v '^COUNTERSIGN_TEST_' || true); do
    unset "$name"
done

if [ $# -gt 0 ]; then
    timeout --kill-after=5 3600 cargo test --locked "$@" &
    running=$!
    status=0
    wait "$running" || status=$?
    running=
    exit $status
fi

step format 120 cargo fmt --check
step lints 2400 cargo clippy --all-targets --locked -- -D warnings
step "verify alone" 600 cargo check --lib --locked --no-default-features --features verify
step licences 300 bash tests/licences.sh
tail -n 1 "$scratch/output"

tested=0
step tests 4200 cargo test --locked --no-fail-fast || tested=$?
closing=$(awk '/^test result: / { passed += $4; failed += $6; skipped += $8; seen = 1 }
    END { if (seen) printf "%d passed, %d failed, %d skipped", passed, failed, skipped }' "$scratch/output")
if [ $tested -ne 0 ]; then
    echo "${closing:-The tests could not be built.}"
    exit $tested
fi
step documentation 1800 env RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -Dwarnings" cargo doc --no-deps --locked
echo "$closing"
