#!/usr/bin/env bash
# Runs the Python module $1 from a test's runfiles; see python.bzl.
PYTHONPATH=$PWD exec python3 -B -m "$@"
