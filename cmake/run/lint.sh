# shellcheck shell=bash disable=SC2154
# Formatting and static checks. Sourced by ./run.

sources() { git ls-files -co --exclude-standard '*.h' '*.cc'; }

fmt() {
  setup lint
  sources | xargs clang-format-19 -i
}

lint() {
  setup build lint
  sources | xargs clang-format-19 --dry-run -Werror || die "lint: not formatted; ./run fmt"
  shellcheck -x run .ci/run cmake/run/*.sh proto/envoy/build.sh
  house_rules
  build dev lazymesh_proto
  tidy
}

# What no tool knows: clocks are injected, coroutines report, headers are light.
house_rules() {
  local bad=0
  refuse() { # PATTERN WHY ONLY [EXCEPT]: regular expressions for the offence, the paths to read, those to leave out
    local pattern=$1 why=$2 only=$3 except=${4:-^$}
    if sources | grep -E "$only" | grep -vE "$except" | xargs -r grep -nE "$pattern"; then
      echo "lint: $why" >&2
      bad=1
    fi
  }
  refuse '(steady_clock|system_clock)::now|sleep_for|sleep_until' 'take the time from base/clock.h' \
    '\.(h|cc)$' '^base/clock\.cc$'
  refuse 'asio::detached' 'a coroutine ends in completion() (base/completion.h)' '\.(h|cc)$'
  refuse '#include <(boost/(asio|beast)|grpcpp|spdlog)/' 'keep Asio, Beast, gRPC and spdlog out of headers' \
    '^(base|mesh|als|sidecar|lazy-controller|egress)/.*\.h$' '^egress/((asio|loop|wakeup)|on_demand/stream_call)\.h$'
  refuse '\b(TODO|FIXME|XXX)\b' 'finish it, or write it down in an issue' '\.(h|cc)$'
  readmes || bad=1
  return $bad
}

# Every directory has a README.md, but hidden ones, fuzzing corpora (where it would be an input), and http1/ and v1/ below
# one that speaks for them.
readmes() {
  local missing
  missing=$(comm -23 \
    <(git ls-files -co --exclude-standard | sed -n ':up; s|/[^/]*$||; T; p; b up' |
      grep -vE '(^|/)\.|^test/fuzz/corpus|/(http1|v1)$' | sort -u) \
    <(git ls-files -co --exclude-standard | sed -n 's|/README\.md$||p' | sort -u))
  [ -z "$missing" ] && return
  echo "lint: no README.md in ${missing//$'\n'/ }" >&2
  return 1
}

# clang-tidy on every source of ours but the tests; a file that passed is not checked again until it, a header of ours or the rules change.
tidy() {
  local passed=$cache/tidy headers todo
  mkdir -p "$passed"
  headers=$(sources | grep '\.h$' | xargs cat .clang-tidy | sha256sum)
  todo=$(for f in $(sources | grep '\.cc$' | grep -vE '^test/'); do
    local key
    key=$({ echo "$headers $f"; cat "$f"; } | sha256sum | cut -c1-32)
    [ -f "$passed/$key" ] || echo "$f $key"
  done)
  [ -n "$todo" ] || return 0
  echo "lint: clang-tidy on $(echo "$todo" | wc -l) files"
  # shellcheck disable=SC2016
  echo "$todo" | xargs -P "$jobs" -n 2 sh -c \
    'clang-tidy-19 -quiet -p build/dev --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-deprecated-declarations \
      --warnings-as-errors="*" "$1" 2>/dev/null && touch "$0/$2" || { echo "lint: $1" >&2; exit 1; }' \
    "$passed"
}
