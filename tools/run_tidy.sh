#!/bin/sh
# run_tidy.sh STAMP CONFIG SOURCE FLAGS...: clang-tidy over one source; see tidy.bzl.
# It prints "N warnings generated" for what it left out in system headers: dropped.
set -eu
stamp=$1 config=$2 source=$3
shift 3
if ! clang-tidy-19 --quiet --config-file="$config" "$source" -- "$@" >"$stamp" 2>"$stamp.errors"; then
  cat "$stamp" "$stamp.errors" >&2
  exit 1
fi
