# Installs the system packages that a script finds missing. Sourced by deploy/run.sh and tests/run.sh.
#
#   want PACKAGE TEST…   remembers PACKAGE if the command TEST… fails
#   install_wanted       installs what was remembered, with one call of the package manager

wanted=()

want() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || wanted+=("$package")
}

has() { command -v "$1"; }

install_wanted() {
    [ ${#wanted[@]} -gt 0 ] || return 0
    local as_root=()
    if ! has apt-get >/dev/null; then
        echo "Missing here: ${wanted[*]} (Debian's names). Please install them, then run this again." >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! has sudo >/dev/null; then
            echo "Missing here: ${wanted[*]}. As root: apt-get install ${wanted[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "Installing ${wanted[*]}"
    local log
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qy --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        echo "Could not install: ${wanted[*]}" >&2
        return 1
    fi
    rm -f "$log"
    wanted=()
}

# What a build needs beside Rust: a C compiler for SQLite, libpq and ring, and OpenSSL's headers.
want_build_packages() {
    want build-essential has cc
    want build-essential has make
    want perl has perl
    want pkg-config has pkg-config
    # Where pkg-config is missing too this asks for OpenSSL in any case, which does no harm.
    want libssl-dev pkg-config --exists openssl
}

# Rust is the one thing that is not installed for you: which toolchain, and from where, is your choice.
find_cargo() {
    has cargo >/dev/null || PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
    if ! has cargo >/dev/null; then
        echo "cargo was not found. Countersign is built with Rust 1.95 or newer: please install it first." >&2
        return 1
    fi
}
