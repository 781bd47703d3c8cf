#!/bin/sh
# $1: every target of this workspace that //student_worker:evaluate is built from.
set -eu
grep -q '^//student_worker/evaluation:evaluation$' "$1" || { echo "the list of targets is not whole"; exit 1; }
if grep '^//teacher_server[/:]' "$1"; then
  echo "//student_worker:evaluate depends on the targets above; a teacher's server has no part in it"
  exit 1
fi
