# shellcheck shell=bash disable=SC2154
# Testing and fuzzing. Sourced by ./run.

# run_tests [unit|mesh|all] [--preset PRESET]
run_tests() {
  local group=all preset=dev
  while [ $# -gt 0 ]; do
    case $1 in
      unit | mesh | all) group=$1 ;;
      --preset) preset=${2:?"--preset needs a name"}; shift ;;
      *) die "test: unknown argument '$1'; ./run help" ;;
    esac
    shift
  done
  local packages=build targets="programs unit-tests"
  if [ "$group" = unit ]; then targets=unit-tests; else packages+=" mesh"; fi
  if [ "$group" = mesh ]; then targets=programs; fi
  if [ "$group" = all ] && [ -n "${CI:-}" ]; then packages+=" lint fuzz"; fi
  step "setup" setup "$packages"
  # shellcheck disable=SC2086
  step "build $preset" build "$preset" $targets
  use_build "$preset"
  if [ "$group" != mesh ]; then step "unit tests ($preset)" unit_tests "$preset"; fi
  if [ "$group" != unit ]; then step "mesh tests (real Envoy)" mesh_tests; fi
  if [ "$group" = all ] && [ -n "${CI:-}" ]; then
    step "lint" lint
    step "build asan" build asan unit-tests
    step "unit tests (ASan, UBSan)" unit_tests asan
    step "build tsan" build tsan unit-tests
    step "unit tests (TSan)" unit_tests tsan
    step "build fuzz" build fuzz fuzz-targets
    step "fuzz targets, 10 s each" fuzz all 10
  fi
  steps_table
}

unit_tests() {
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j "$jobs"
}

mesh_tests() {
  [ "$(id -u)" = 0 ] || die "test: the mesh tests make network namespaces; run them as root (or: ./run test unit)"
  "$venv/bin/python" -m pytest -q -p no:cacheprovider test/mesh
}

# fuzz TARGET|all SECONDS: run libFuzzer on the kept corpus; new finds stay in build/fuzz/corpus.
fuzz() {
  local target name found=0
  for target in build/fuzz/bin/fuzz-*; do
    name=${target##*/fuzz-}
    [ "$1" = all ] || [ "$1" = "$name" ] || continue
    found=1
    mkdir -p "build/fuzz/corpus/$name" "test/fuzz/corpus/$name"
    echo "fuzz $name: $2 s"
    ASAN_OPTIONS=detect_odr_violation=0 "$target" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
      -verbosity=0 "-artifact_prefix=build/fuzz/$name-" "build/fuzz/corpus/$name" "test/fuzz/corpus/$name" ||
      die "fuzz: $name found something; the input is beside build/fuzz/$name-*"
  done
  [ $found = 1 ] || die "fuzz: no target '$1'; there are $(find build/fuzz/bin -name 'fuzz-*' -printf '%f ' | sed 's/fuzz-//g')"
}
