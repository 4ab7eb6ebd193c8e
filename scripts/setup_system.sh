#!/bin/sh
# Installs the Debian packages that the build needs. When all are there it costs some milliseconds and does nothing. As root, or
# where sudo asks no password, it uses apt-get; else it names what is missing in one line and fails.
set -eu
packages="g++ cmake ninja-build pkg-config ccache python3-venv python3-dev libfmt-dev libicu-dev libsqlite3-dev libpcre2-dev
libstemmer-dev libxml2-dev libhwy-dev libxxhash-dev libsimdjson-dev nlohmann-json3-dev libroaring-dev catch2"

if ! command -v dpkg-query >/dev/null 2>&1; then
    for tool in g++ cmake ninja pkg-config; do
        command -v "$tool" >/dev/null 2>&1 || { echo "Not a Debian system, and $tool is missing. The build needs what Debian calls:" $packages >&2; exit 1; }
    done
    exit 0
fi

missing=""
for package in $packages; do
    # A package that is not known at all is missing too, so the exit status does not matter.
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "Missing system packages; have them installed by: apt-get install$missing" >&2
    exit 1
fi
echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
$as_root apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing
