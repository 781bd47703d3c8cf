"""What a user may expect of distillctl, row by row, each checked by driving the real program.

    python3 -m tests.terminal.u_rows

prints a line for each: HOLDS and what was seen, OPEN and why it does not hold or is checked
elsewhere, or FAILS. A row that is open fails nothing; u_rows_test says which may be.
"""

import contextlib
import functools
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tests.bad_input import tiny_plan
from tests.terminal import u_rows_json

CTL = tiny_plan.DISTILLCTL
PROGRAMS = {"coordinator": "coordinator/coordinator",
            "teacher_server": "teacher_server/teacher_server",
            "student_worker": "student_worker/student_worker",
            "evaluate": "student_worker/evaluate"}
COMMANDS = [[], ["run"], ["resume"], ["stop"], ["status"], ["digest"], ["label"], ["config"],
            ["config", "show"], ["config", "validate"], ["config", "explain"],
            ["config", "reference"], ["metrics"], ["metrics", "list"], ["metrics", "explain"],
            ["explain"], ["doctor"], ["completion"], ["reference"], ["watch"], ["top"], ["logs"],
            ["model"], ["model", "manifest"]]
EXIT_CODES = ("0 done", "1 run failed", "2 usage", "3 configuration", "4 unreachable",
              "5 refused", "6 stopped and resumable", "7 data", "130 interrupted")
ID = re.compile(r"\[DST-(\d{4})\]")
LONG = ["--set=runs.distilled.training.steps=1000000",
        ("--set=runs.distilled.schedules.learning_rate={pieces: [{begin_step: 0, "
         "end_step: 1000000, constant: {value: 0.01}}]}")]


class Open(Exception):
    """The row does not hold, or is checked elsewhere; why."""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class World:
    """A folder with a plan, a run directory in which it is done, and one in which it runs."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="u_rows_")
        tiny_plan.write_idx_set(self.folder, "tiny")
        self.plan = tiny_plan.write_plan(self.folder)
        self.done = self.path("done")
        self._running = None
        result = self.ctl("run", self.plan, "--run-dir", self.done)
        check(result.code == 0, "the plan of these checks does not run: %r" % result)

    def path(self, name):
        return os.path.join(self.folder, name)

    def ctl(self, *args, seconds=40, env=None):
        process = tiny_plan.start([CTL, *args], self.folder, env={**os.environ, **(env or {})})
        return tiny_plan.finish(process, self.folder, seconds)

    @contextlib.contextmanager
    def running(self):
        """A plan in a run directory of its own that trains for as long as the block lasts."""
        run_dir = tempfile.mkdtemp(prefix="run_", dir=self.folder)
        process = tiny_plan.start([CTL, "run", self.plan, "--run-dir", run_dir, *LONG], self.folder)
        steps = os.path.join(run_dir, "distilled", "metrics.rank0.jsonl")
        tiny_plan.wait_until(lambda: os.path.exists(steps) and os.path.getsize(steps),
                             "a first step of the run")
        try:
            yield run_dir, process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                tiny_plan.finish(process, self.folder)

    def close(self):
        tiny_plan.kill_all(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def tree(folder):
    return sorted((at, tuple(names), tuple(files)) for at, names, files in os.walk(folder))


def on_a_terminal(args, folder, answer):
    """Exit code and screen of distillctl with a terminal, at whose first '?' or ': ' the answer
    is typed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(CTL, [CTL, *args])
    screen, typed = b"", False
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            read = os.read(terminal, 4096)
        except OSError:  # its other end is closed
            break
        screen += read
        if not typed and screen.rstrip(b" ").endswith(b":"):
            os.write(terminal, answer.encode() + b"\n")
            typed = True
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.decode(errors="replace")


def u01(world):
    """Data on stdout, everything else on stderr; JSON has a version and the fields it promises."""
    seen = []
    for args, schema in ((["status", world.done, "--json"], "done"),
                         (["metrics", "list", "--json"], "metrics"),
                         (["explain", "--json"], "errors"),
                         (["doctor", "--json", "--config", world.plan], "doctor"),
                         (["--version", "--json"], "version")):
        result = world.ctl(*args)
        wrong = u_rows_json.problems(json.loads(result.out), schema)
        check(not wrong, "%s: %s" % (args, wrong))
        check(result.err == "", "%s said on stderr: %s" % (args, result.err))
        seen.append(args[0])
    with world.running() as (run_dir, _):
        result = world.ctl("status", run_dir, "--json")
        wrong = u_rows_json.problems(json.loads(result.out), "status")
        check(not wrong, "status of a plan that runs: %s" % wrong)
    failed = world.ctl("status", world.folder, "--json")
    check(failed.out == "" and failed.err, "a failure is on stderr only: %r" % failed)
    return "JSON of %s alone on stdout, versioned, as its schema says" % ", ".join(seen)


def u02(world):
    """Help starts with two examples, groups flags, shows defaults, and is given in any case."""
    for command in COMMANDS:
        for args in (["--help"], ["-h"], ["--nonsense", "-h"], ["-h", "--nonsense", "more"]):
            result = world.ctl(*command, *args)
            check(result.code == 0, "%s: %r" % (command + args, result))
            examples = result.out.split("\n\n")[0].split("\n")
            name = " ".join(["distillctl"] + command)
            check(examples[0] == "Examples:" and len(examples) == 3 and
                  all(name in example for example in examples[1:]), "%s: %s" % (name, examples))
    result = world.ctl("label", "--help").out
    check("Which labels:" in result and "Who answers:" in result, result)
    check("=64" in result, "the default of --block-rows is not shown: " + result)
    return "two examples first for %d commands, also beside wrong arguments" % len(COMMANDS)


def u03(world):
    """An unknown command or flag: the nearest one is offered, exit code 2."""
    for args, nearest in ((["statsu", "x"], "status"), (["doctro"], "doctor"),
                          (["config", "vaildate", "x"], "validate"),
                          (["run", "x", "--rundir=y"], "--run-dir"),
                          (["explain", "DST-1110x"], "DST-1110")):
        result = world.ctl(*args)
        check(result.code == 2 and nearest in result.err, "%s: %r" % (args, result))
    return "nearest command, flag or id offered, exit 2"


def u04(world):
    """Exit codes are documented, and are those."""
    text = " ".join(world.ctl("--help").out.split())
    for code in EXIT_CODES:
        check(code in text, "--help lacks '%s'" % code)
    for args, code in ((["status", world.done], 0), (["run"], 2),
                       (["config", "validate", "none.yaml"], 3),
                       (["status", world.done, "--coordinator", "127.0.0.1:1"], 4),
                       (["run", world.plan, "--run-dir", world.done], 5),
                       (["resume", world.folder], 7)):
        result = world.ctl(*args)
        check(result.code == code, "%s: %r" % (args, result))
    return "in --help; 0, 2, 3, 4, 5 and 7 seen (1, 6 and 130 by U-14 and tests/bad_input)"


def u05(world):
    """--dry-run says what would be started, contacted and written, and does none of it."""
    before = tree(world.folder)
    new = world.path("new")
    for args, parts in (
            (["run", world.plan, "--run-dir", new],
             ["1 x", "coordinator", "student_worker", "teacher_server", new]),
            (["run", world.plan, "--run-dir", new, "--coordinator", "127.0.0.1:1"],
             ["contact", "127.0.0.1:1", new]),
            (["resume", world.done], ["student_worker", "last committed checkpoint", world.done]),
            (["stop", world.done], ["nothing to stop"]),
            (["label", world.plan, "--run", "distilled", "--run-dir", world.done, "--out",
              world.path("set")], ["rows of 4 classes", world.path("set")])):
        result = world.ctl(*args, "--dry-run")
        check(result.code == 0, "%s: %r" % (args, result))
        for part in parts:
            check(part in result.out, "%s lacks '%s': %r" % (args, part, result))
    check(tree(world.folder) == before, "a dry run changed files")
    with world.running() as (run_dir, process):
        result = world.ctl("stop", run_dir, "--dry-run")
        check("signal" in result.out and str(process.pid) in result.out, repr(result))
        check(process.poll() is None, "a dry run stopped the plan")
    refused = world.ctl("run", world.plan, "--run-dir", world.done, "--dry-run")
    check(refused.code == 5, "a dry run finds what a run would: %r" % refused)
    return "run, resume, stop and label print their plan; no file changed, nothing stopped"


def u06(_):
    """Output formats, watch, tables cut to the terminal."""
    raise Open("text and --json, no --output; watch and the cut tables: //tests/terminal:terminal_test")


def u07(_):
    """Colour only on a terminal, never the only sign."""
    raise Open("checked in a real terminal by //tests/terminal:terminal_test")


def u08(world):
    """A flag goes before its environment variable, before the file, before the default."""
    run = ["run", world.plan, "--dry-run"]
    from_environment = world.ctl(*run, env={"DISTILL_RUN_DIR": world.path("environment")})
    check(world.path("environment") in from_environment.out, repr(from_environment))
    flagged = world.ctl(*run, "--run-dir", world.path("flag"),
                        env={"DISTILL_RUN_DIR": world.path("environment")})
    check(world.path("flag") in flagged.out and world.path("environment") not in flagged.out,
          repr(flagged))
    shown = world.ctl("config", "show", world.plan, "--set=seed=9", "--origin").out
    for value, origin in (("seed: 9", "--set seed=9"), ("name: tiny", "plan.yaml:1:"),
                          ("momentum: 0.9", "default")):
        check(any(value in line and origin in line for line in shown.split("\n")),
              "'%s' from '%s' is not in: %s" % (value, origin, shown))
    return "flag > DISTILL_RUN_DIR; config show --origin names --set, file and default"


def u09(world):
    """No prompt without a terminal; on one, what ends work asks, or --yes is given."""
    with world.running() as (run_dir, process):
        code, screen = on_a_terminal(["stop", run_dir], world.folder, "another")
        check(code == 2 and "Type its name" in screen and "DST-1006" in screen, screen)
        check(process.poll() is None, "stopped without leave")
        code, screen = on_a_terminal(["stop", run_dir], world.folder, "tiny")
        check(code == 0, screen)
        check(tiny_plan.finish(process, world.folder).code == 6, "the plan did not stop")
    with world.running() as (run_dir, process):
        code, screen = on_a_terminal(["stop", run_dir, "--yes"], world.folder, "")
        check(code == 0 and "Type its name" not in screen, screen)
    with world.running() as (run_dir, process):
        result = world.ctl("stop", run_dir, seconds=20)  # its stdin is /dev/null
        check(result.code == 0 and "Type its name" not in result.err, repr(result))
    return "stop asks for the plan's name on a terminal only; --yes asks nobody"


def u10(world):
    """Completion by a fixed script that calls the program back."""
    for shell in ("bash", "zsh", "fish"):
        script = world.ctl("completion", shell).out
        check("__complete" in script, "%s: %s" % (shell, script))
    words = world.ctl("__complete", "--", "status", world.done[:-1]).out.split()
    check(words == [world.done], "run directories: %s" % words)
    words = world.ctl("__complete", "--", "label", world.plan, "--run", "d").out.split()
    check(words == ["distilled"], "run names: %s" % words)
    return "bash, zsh, fish; run directories and names complete (in a real bash: completion test)"


def u11(world):
    """--version says version, commit, compiler, LibTorch, gRPC and CPU features."""
    versions = {}
    for name, program in [("distillctl", "cli/distillctl"), *PROGRAMS.items()]:
        path = os.path.join(tiny_plan.BUILT, program)
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True,
                              timeout=60).stdout
        told = json.loads(subprocess.run([path, "--version", "--json"], capture_output=True,
                                         text=True, check=True, timeout=60).stdout)
        wrong = u_rows_json.problems(told, "version")
        check(not wrong, "%s: %s" % (name, wrong))
        for field in ("commit", "compiler", "grpc"):
            check(told[field] in text, "%s --version lacks %s: %s" % (name, field, text))
        linked = name in ("teacher_server", "student_worker", "evaluate")
        check((told["libtorch"] is not None) == linked, "%s: %s" % (name, told))
        versions[told["program_version"]] = name
    check(len(versions) == 1, "versions differ: %s" % versions)
    return "of distillctl, the three processes and evaluate, as text and JSON"


def u12(world):
    """A page of all commands, generated from the same tables as help."""
    with open("docs/commands.md", encoding="utf-8") as page:
        check(page.read() == world.ctl("reference").out, "docs/commands.md is old")
    return "docs/commands.md is what distillctl reference prints"


def u13(world):
    """distillctl starts quickly: it does not link LibTorch."""
    linked = subprocess.run(["ldd", CTL], capture_output=True, text=True, check=True).stdout
    check("libgrpc" in linked, "ldd shows nothing: " + linked)
    check("torch" not in linked and "libc10" not in linked, linked)
    times = []
    for _ in range(5):
        begin = time.monotonic()
        world.ctl("--help")
        times.append(time.monotonic() - begin)
    return "links no LibTorch; --help took %.0f ms here" % (1000 * min(times))


@functools.cache
def killed_student(world):
    """What is said of a run whose student was killed."""
    with world.running() as (run_dir, process):
        os.kill(tiny_plan.entries(run_dir, "student_worker")[0]["pid"], signal.SIGKILL)
        return tiny_plan.finish(process, world.folder)


def u14(world):
    """The first process that failed and its reason are the last thing said."""
    result = killed_student(world)
    check(result.code == 1, repr(result))
    check(result.message.startswith("distillctl: student-0 was killed by SIGKILL"), repr(result))
    last = result.err.rstrip("\n").split("\n")[-2:]
    check("distillctl resume" in last[0] and "distillctl explain" in last[1], repr(result))
    return "'%s', then how to go on" % result.message.split("\n")[0][12:60]


def u15(world):
    """A signal is named, with its usual cause."""
    result = killed_student(world)
    check("SIGKILL (often: out of memory) [DST-4005]" in result.message, repr(result))
    explained = world.ctl("explain", "DST-4005").out
    check("memory" in explained and "dmesg" in explained, explained)
    return "SIGKILL (often: out of memory), explained by DST-4005"


def u16(_):
    """A watchdog says who waits for whom."""
    raise Open("progress lines and status name what a run waits for; no watchdog with times yet")


def u17(world):
    """Problems of a plan: all at once, with line, column, caret and the nearest name."""
    with open(world.plan) as file:
        text = file.read()
    broken = world.path("broken.yaml")
    with open(broken, "w") as file:
        file.write(text.replace("seed: 3", "seed: three").replace("classes: 4", "clases: 4"))
    result = world.ctl("config", "validate", broken)
    check(result.code == 3, repr(result))
    lines = result.err.split("\n")
    for begin, about in (("broken.yaml:2:7: ", "seed: three"), ("broken.yaml:", "clases: 4")):
        at = [i for i, line in enumerate(lines) if begin in line and i + 2 < len(lines) and
              about in lines[i + 1]]
        check(at and lines[at[0] + 2].strip() == "^", "no caret below %s: %r" % (about, result))
        column = lines[at[0] + 2].index("^")
        word = "three" if "seed" in about else "clases"
        check(lines[at[0] + 1][column:].startswith(word), "the caret is elsewhere: %r" % result)
    check("did you mean classes?" in result.err, repr(result))
    return "two problems at once, each with its line and a caret, nearest name offered"


def u18(world):
    """Every error has a stable id that is explained offline and has its place in the docs."""
    with open("docs/errors.md", encoding="utf-8") as file:
        page = file.read()
    ids = set()
    for args in ([], ["frobnicate"], ["run", world.plan], ["run", world.plan, "--run-dir=x", "--x"],
                 ["run", world.plan, "--run-dir=x", "--seed=x"], ["explain", "DST-9999"],
                 ["config", "explain", "stepz"], ["metrics", "explain", "x"],
                 ["config", "validate", "none.yaml"],
                 ["config", "validate", world.plan, "--set=stepz=1"],
                 ["config", "validate", world.plan, "--set=seed=x"],
                 ["config", "validate", world.plan, "--set=runs.teacher.data_set=x"],
                 ["run", world.plan, "--run-dir", world.done], ["resume", world.folder],
                 ["stop", world.done], ["status", world.done, "--coordinator=127.0.0.1:1"],
                 ["digest", world.path("none")],
                 ["label", world.plan, "--run=x", "--run-dir=y", "--out=z"],
                 ["label", world.plan, "--run=alone", "--run-dir=y", "--out=z"],
                 ["label", world.plan, "--run=distilled", "--run-dir=y", "--out=z"]):
        result = world.ctl(*args)
        check(result.code not in (0, 1), "%s: %r" % (args, result))
        found = ID.search(result.err)
        check(found, "no id: %s: %r" % (args, result))
        more = "More: distillctl explain DST-" + found.group(1)
        check(result.err.rstrip("\n").split("\n")[-1] == more, "%s: %r" % (args, result))
        ids.add(found.group(1))
    for number in ids:
        explained = world.ctl("explain", "DST-" + number)
        check(explained.code == 0 and "What to do:" in explained.out, repr(explained))
        check("\n### DST-%s\n" % number in page, "docs/errors.md lacks " + number)
    check(len(ids) >= 14, "different errors share an id: %s" % sorted(ids))
    return "20 failures have %d ids, all explained" % len(ids)


def u19(world):
    """Errors of gRPC are sentences."""
    result = world.ctl("status", world.done, "--coordinator", "127.0.0.1:1")
    check(result.code == 4 and "does not answer; is it running?" in result.message and
          "nothing listens there" in result.message, repr(result))
    for raw in ("UNAVAILABLE", "failed to connect", "StatusCode", "errno", "ipv4:"):
        check(raw not in result.err, "'%s' is not for people: %r" % (raw, result))
    return "a coordinator that is not there: '%s'" % result.message.split("\n")[0][12:]


def u20(world):
    """Teacher and student that do not fit are found before the first step."""
    tiny_plan.write_idx_set(world.folder, "other")
    plan = tiny_plan.write_plan(world.folder, ("tiny", "other"))
    result = world.ctl("config", "validate", plan, "--set=data_sets.other.classes=5",
                       "--set=runs.distilled.data_set=other")
    tiny_plan.write_plan(world.folder)
    check(result.code == 3 and "4 classes" in result.err and "5" in result.err, repr(result))
    return ("other classes refused by config validate (another shape when the teacher loads: "
            "tests/bad_input)")


def u21(_):
    """A loss that is not finite: what, where, and the batch kept for replay."""
    raise Open("term, step and what to do are said [DST-4001]; the batch is not kept")


ROWS = [(name[0].upper() + "-" + name[1:], function) for name, function in sorted(globals().items())
        if re.fullmatch(r"u\d\d", name)]


def look(world):
    """(row, verdict, what) of each, verdict HOLDS, OPEN or FAILS."""
    for row, function in ROWS:
        try:
            yield row, "HOLDS", function(world)
        except Open as why:
            yield row, "OPEN", str(why)
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as why:
            yield row, "FAILS", "%s %s" % (function.__doc__, why)


def main():
    world = World()
    try:
        failed = False
        for row, verdict, what in look(world):
            print(row, verdict, what, flush=True)
            failed = failed or verdict == "FAILS"
        return 1 if failed else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
