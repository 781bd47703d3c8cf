"""Limits of a file, and words that do not belong in finished code."""

import re

from tools.checks import function_sizes

MAX_FUNCTION_LINES = 70
MAX_LINES = {"_main.cc": 60, ".h": 250, ".cc": 500, ".cu": 500}
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
_SLEEP = re.compile(r"\b(sleep_for|sleep_until|SleepFor|usleep|nanosleep)\b")


def problems(path, text):
    """One line for each rule that the file breaks."""
    lines = text.splitlines()
    is_test = path.startswith("tests/") or re.search(r"_(test|benchmark)\.(cc|h)$", path)
    found = []
    for suffix, limit in MAX_LINES.items():
        if path.endswith(suffix):
            if len(lines) > limit:
                found.append("%s: %d lines, at most %d: is there a second idea in it?" % (path, len(lines), limit))
            break
    for name, size in function_sizes.sizes(text):
        if size > MAX_FUNCTION_LINES:
            found.append("%s: %s has %d lines, at most %d: is there a second idea in it?" % (path, name, size, MAX_FUNCTION_LINES))
    for number, line in enumerate(lines, 1):
        if _UNFINISHED.search(line):
            found.append("%s:%d: mark of unfinished work; finish it, or say in docs what is missing" % (path, number))
        if not is_test and _SLEEP.search(line):
            found.append("%s:%d: product code does not sleep; wait on a condition or the injected clock" % (path, number))
    return found
