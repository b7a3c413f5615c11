# shellcheck shell=bash disable=SC2154
# Steps with a name, a time and one clear line when they fail. Sourced by ./run.

die() {
  echo "run: $*" >&2
  exit 1
}

declare -a step_names=() step_seconds=()

# step NAME COMMAND…: run it, remember how long it took, end with its name if it fails.
step() {
  local name=$1 begin=$SECONDS status=0
  shift
  echo "── $name"
  # Not in a condition, so that `set -e` holds within functions that are run as a step.
  set +e
  (set -e; "$@")
  status=$?
  set -e
  step_names+=("$name")
  step_seconds+=($((SECONDS - begin)))
  if [ $status -ne 0 ]; then
    steps_table
    die "failed: $name (status $status)"
  fi
}

steps_table() {
  local i
  echo
  printf '%-44s %8s\n' step seconds
  for i in "${!step_names[@]}"; do printf '%-44s %8d\n' "${step_names[$i]}" "${step_seconds[$i]}"; done
  printf '%-44s %8d\n' total $SECONDS
}
