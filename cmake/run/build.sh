# shellcheck shell=bash disable=SC2154
# Building. Sourced by ./run.

# build PRESET [TARGET…]
build() {
  local preset=$1 dir=build/$1
  shift
  LAZYMESH_ENVOY_API=$(proto/envoy/build.sh "$venv/bin/python" "$cache") || die "build: the Envoy API did not compile"
  export LAZYMESH_ENVOY_API
  # Configure anew only when the compiled Envoy API is another; CMake notices everything else by itself.
  if ! grep -qs "^LAZYMESH_ENVOY_API:[A-Z]*=$LAZYMESH_ENVOY_API$" "$dir/CMakeCache.txt" || [ ! -f "$dir/build.ninja" ]; then
    cmake --preset "$preset" >"build-$preset.log" 2>&1 || {
      cat "build-$preset.log" >&2
      rm -f "build-$preset.log"
      die "build: configuring preset '$preset' failed"
    }
    mkdir -p "$dir" && mv "build-$preset.log" "$dir/configure.log"
  fi
  cmake --build "$dir" -j "$jobs" ${1:+--target "$@"} || die "build: preset '$preset' failed"
}
