"""The flags that a program takes, as its --help lists them."""

import re
import subprocess

# The room in which Bazel builds it.
ROOMS = {"coordinator": "coordinator", "teacher_server": "teacher_server",
         "student_worker": "student_worker", "distillctl": "cli"}
_LINE = re.compile(r"^\s+(?:-\w,)?(--[a-z][a-z-]*)(.*)$")


class Flag:
    def __init__(self, takes_value, required):
        self.takes_value = takes_value
        self.required = required


def parse_help(text):
    """Name to Flag."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            # CLI11 names the type right behind the flag: "--threads INT:INT in [1 - 1024]=1 ...".
            rest = match[2]
            found[match[1]] = Flag(re.match(r" (?!REQUIRED)[A-Z]+\b", rest) is not None, "REQUIRED" in rest)
    return found


def problems(name, arguments, known):
    """What `name` would refuse of these arguments."""
    found = []
    given = set()
    for word in arguments:
        if not word.startswith("--"):
            continue
        flag, equals, _ = word.partition("=")
        given.add(flag)
        if flag not in known:
            found.append("%s has no flag %s" % (name, flag))
        elif known[flag].takes_value != bool(equals):
            found.append("%s: %s %s" % (name, flag, "wants =VALUE" if known[flag].takes_value else "takes no value"))
    for flag, what in sorted(known.items()):
        if what.required and flag not in given:
            found.append("%s requires %s" % (name, flag))
    return found


def ask(program, subcommand=()):
    """Runs `program [SUBCOMMAND] --help`."""
    done = subprocess.run([program, *subcommand, "--help"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError("%s --help exits with %d: %s" % (program, done.returncode, done.stderr.strip()))
    return parse_help(done.stdout)
