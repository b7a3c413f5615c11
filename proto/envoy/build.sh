#!/usr/bin/env bash
# build.sh PYTHON CACHE_DIR: generate and compile the Envoy API, once for each set of inputs; prints its folder.
# PYTHON is an interpreter that has the pinned xds-protos package.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$1 cache=$2
xds=$("$python" -c 'import importlib.metadata as m; print(m.version("xds-protos"))')
key=$({ echo "$xds"; protoc --version; g++ -dumpfullversion; cat "$here"/roots.txt "$here"/generate.py \
  "$here"/CMakeLists.txt; } | sha256sum | cut -c1-16)
out=$cache/envoy-api-$key
if [ ! -f "$out/libenvoy_api.a" ]; then
  echo "envoy-api: compiling (about 5 minutes on 2 cores, once)" >&2
  # One builder at a time; the finished folder appears by one rename.
  mkdir -p "$cache"
  exec 9>"$out.lock"
  flock 9
  if [ ! -f "$out/libenvoy_api.a" ]; then
    rm -rf "$out.tmp" "$out"
    "$python" "$here/generate.py" "$here/roots.txt" "$out.tmp/include" >&2
    cmake -S "$here" -B "$out.tmp/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DENVOY_API_SOURCES="$out.tmp/include" \
      -DCMAKE_CXX_COMPILER_LAUNCHER=ccache >&2
    cmake --build "$out.tmp/build" >&2
    mv "$out.tmp/build/libenvoy_api.a" "$out.tmp/"
    rm -rf "$out.tmp/build"
    find "$out.tmp/include" -name '*.cc' -delete
    mv "$out.tmp" "$out"
  fi
fi
echo "$out"
