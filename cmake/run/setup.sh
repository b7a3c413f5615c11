# shellcheck shell=bash disable=SC2154
# Installing what the project needs. Sourced by ./run.

# setup GROUP…: the Debian packages of these groups (cmake/packages.txt) and the Python environment. Quick when there is
# nothing to do.
setup() {
  local groups packages missing
  groups=$*
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && . /etc/os-release
  [ "${ID:-}-${VERSION_ID:-}" = debian-12 ] ||
    die "setup: this is ${PRETTY_NAME:-an unknown system}; Lazymesh is built and tested on Debian 12 (bookworm)"
  packages=$(for g in $groups; do sed -n "s/^$g: //p" cmake/packages.txt; done | tr ' ' '\n' | sort -u)
  [ -n "$packages" ] || die "setup: no group '$groups'; there are $(sed -n 's/^\([a-z]*\):.*/\1/p' cmake/packages.txt |
    sort -u | tr '\n' ' ')"
  # shellcheck disable=SC2086
  missing=$(missing_packages $packages)
  if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "setup: run this as root once, then try again: apt-get install $missing"
    echo "setup: installing $(echo "$missing" | wc -w) Debian packages"
    # shellcheck disable=SC2086
    install_packages $missing
  fi
  [ -f "$venv/complete" ] || make_venv
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | sort -u)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(echo "$installed") | tr '\n' ' '
}

install_packages() {
  local log
  log=$(mktemp)
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
    >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    die "setup: apt-get failed (all of it in $log); is the network there, and bookworm/main among the sources?"
  fi
  rm -f "$log"
}

make_venv() {
  echo "setup: making the Python environment (Envoy 1.40, xDS protos, pytest)"
  mkdir -p "$cache"
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv" || die "setup: python3 cannot make a virtual environment in $venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r cmake/requirements.txt ||
    die "setup: pip could not install cmake/requirements.txt; is the package index reachable?"
  touch "$venv/complete"
}
