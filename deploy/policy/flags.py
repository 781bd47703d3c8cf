"""The flags that a program takes, as its --help lists them."""

import os
import re
import subprocess

# What manifests may run: a program, or one of its subcommands, to the program's file below Bazel's.
COMMANDS = {"coordinator": "coordinator/coordinator", "teacher_server": "teacher_server/teacher_server",
            "student_worker": "student_worker/student_worker", "distillctl run": "cli/distillctl",
            "distillctl resume": "cli/distillctl"}
# Those that README's table of flags is of.
PROCESSES = ("coordinator", "teacher_server", "student_worker")
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


def table(page):
    """README's table of flags: name to the processes whose flag it is."""
    section = page.partition("\n## Flags\n")[2].partition("\n## ")[0]
    found = {}
    for name, of in re.findall(r"^\| `(--[a-z-]+)[^`]*` \| ([^|]+) \|", section, re.M):
        found[name] = set(PROCESSES) if of == "all" else {each.replace(" ", "_") for each in of.split(", ")}
    return found


def table_problems(rows, programs):
    """Flags without a row, rows without a flag, and rows of others. `programs`: name to its flags."""
    found = ["%s: no row of %s" % (name, flag) for name in PROCESSES for flag in programs[name]
             if flag != "--help" and name not in rows.get(flag, ())]
    return found + ["%s has no flag %s" % (name, flag) for flag, names in rows.items() for name in sorted(names)
                    if flag not in programs.get(name, ())]


def ask(built):
    """Of every command, what its --help lists. `built`: where Bazel put the programs."""
    found = {}
    for command, path in COMMANDS.items():
        words = [os.path.join(built, path), *command.split()[1:], "--help"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError("%s exits with %d: %s" % (" ".join(words), done.returncode, done.stderr.strip()))
        found[command] = parse_help(done.stdout)
    return found
