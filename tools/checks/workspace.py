"""Where the workspace lies, for checks that read all of it."""

import os
import re
import sys


def root():
    """The real workspace folder: where this test's link to WORKSPACE leads."""
    return os.path.dirname(os.path.realpath("WORKSPACE"))


def files(suffixes):
    """Paths from the root of all files with one of the suffixes, sorted."""
    top, found = root(), []
    for folder, subfolders, names in os.walk(top):
        subfolders[:] = [s for s in subfolders if s not in (".git", "out") and
                         not os.path.islink(os.path.join(folder, s))]
        found += [os.path.relpath(os.path.join(folder, n), top) for n in names if n.endswith(suffixes)]
    return sorted(found)


def shell_scripts():
    """Paths of all files that sh or bash runs, by suffix or first line, sorted."""
    found = []
    for path in files(""):
        with open(os.path.join(root(), path), "rb") as f:
            first = f.readline(80)
        if path.endswith(".sh") or re.match(rb"#!.*\b(bash|sh)\b", first):
            found.append(path)
    return found


if __name__ == "__main__":
    # For tools/presubmit.
    print("\n".join({"shell": shell_scripts}[sys.argv[1]]()))
