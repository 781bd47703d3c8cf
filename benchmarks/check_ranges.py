"""Holds a benchmark's values against the ranges that were agreed on.

Usage: check_ranges.py RANGES.json < LINE.json

Prints a line for each value that has a range. Status 0: all are within; 3: at least one
is not, or is missing; 2: the input cannot be read.
"""

import json
import sys


def problems(ranges, result):
    """Yields (text, whether it is a problem) for each range of this benchmark."""
    values = result["values"]
    for what, bounds in sorted(ranges.get(result["name"], {}).items()):
        if what not in values:
            yield f"{what}: not measured", True
            continue
        value = values[what]
        least = bounds.get("at_least", float("-inf"))
        most = bounds.get("at_most", float("inf"))
        within = least <= value <= most
        bound = f"at least {least}" if "at_least" in bounds else f"at most {most}"
        yield f"{what}: {value:.4g}, {bound}: {'ok' if within else 'OUT OF RANGE'}", not within


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[1], encoding="utf-8") as file:
            ranges = json.load(file)
        result = json.load(sys.stdin)
        lines = list(problems(ranges, result))
    except (OSError, ValueError, KeyError) as error:
        print(f"check_ranges: {error!r}; expected a benchmark's line of JSON", file=sys.stderr)
        return 2
    for text, _ in lines:
        print(f"{result['name']}: {text}")
    return 3 if any(problem for _, problem in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
