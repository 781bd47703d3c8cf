"""What a user may expect of distillctl, row by row, each checked by driving the real program.

    python3 -m tests.terminal.u_rows

prints a line for each: HOLDS and what was seen, or FAILS and why.
"""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys

from tests.bad_input import tiny_plan
from tests.terminal import screens, u_rows_json
from tests.terminal.scene import Scene, check

CTL = tiny_plan.DISTILLCTL
PROGRAMS = {"coordinator": "coordinator/coordinator",
            "teacher_server": "teacher_server/teacher_server",
            "student_worker": "student_worker/student_worker",
            "evaluate": "student_worker/evaluate"}
EXIT_CODES = ("0 done", "1 run failed", "2 usage", "3 configuration", "4 unreachable",
              "5 refused", "6 stopped and resumable", "7 data", "130 interrupted")
# A program that loads LibTorch takes 300 to print its help, distillctl 8.
START_MS = 50
PROMPT = "Type its name to stop it: "
ID = re.compile(r"\[DST-(\d{4})\]")
PAINT = re.compile(r"\x1b\[[0-9;]*m")


def tree(folder):
    """Every path below, and when its content changed."""
    return sorted((path, os.lstat(path).st_mtime_ns) for at, names, files in os.walk(folder)
                  for path in [os.path.join(at, name) for name in names + files])


def command_line(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        return file.read().decode(errors="replace")


def u01(scene):
    """Data on stdout, everything else on stderr; JSON has a version and the fields it promises."""
    seen = []
    for args, schema in ((["status", scene.done, "--json"], "done"),
                         (["metrics", "list", "--json"], "metrics"),
                         (["explain", "--json"], "errors"),
                         (["doctor", "--json", "--config", scene.plan], "doctor"),
                         (["--version", "--json"], "version")):
        result = scene.ctl(*args)
        wrong = u_rows_json.problems(json.loads(result.out), schema)
        check(not wrong, "%s: %s" % (args, wrong))
        check(result.err == "", "%s said on stderr: %s" % (args, result.err))
        seen.append(args[0])
    with scene.running() as (run_dir, _):
        result = scene.ctl("status", run_dir, "--json")
        wrong = u_rows_json.problems(json.loads(result.out), "status")
        check(not wrong, "status of a plan that runs: %s" % wrong)
    failed = scene.ctl("status", scene.folder, "--json")
    check(failed.out == "" and failed.err, "a failure is on stderr only: %r" % failed)
    return "JSON of %s alone on stdout, versioned, as its schema says" % ", ".join(seen)


def u02(scene):
    """Help starts with two examples, groups flags, shows defaults, and is given in any case."""
    headings = re.findall(r"^## distillctl(.*)$", scene.ctl("reference").out, re.M)
    commands = [heading.split() for heading in headings]
    check([] in commands and ["config", "show"] in commands, str(commands))
    for command in commands:
        for args in (["--help"], ["-h"], ["--nonsense", "-h"], ["-h", "--nonsense", "more"]):
            result = scene.ctl(*command, *args)
            check(result.code == 0, "%s: %r" % (command + args, result))
            examples = result.out.split("\n\n")[0].split("\n")
            name = " ".join(["distillctl"] + command)
            check(examples[0] == "Examples:" and len(examples) == 3 and
                  all(name in example for example in examples[1:]), "%s: %s" % (name, examples))
    result = scene.ctl("label", "--help").out
    check("Which labels:" in result and "Who answers:" in result, result)
    check("=64" in result, "the default of --block-rows is not shown: " + result)
    return "two examples first for %d commands, also beside wrong arguments" % len(commands)


def u03(scene):
    """An unknown command or flag: the nearest one is offered, exit code 2."""
    for args, nearest in ((["statsu", "x"], "status"), (["doctro"], "doctor"),
                          (["config", "vaildate", "x"], "validate"),
                          (["run", "x", "--rundir=y"], "--run-dir"),
                          (["explain", "DST-1110x"], "DST-1110")):
        result = scene.ctl(*args)
        said = result.err.replace(args[-1], "")  # an id that is repeated is not offered
        check(result.code == 2 and nearest in said, "%s: %r" % (args, result))
    return "nearest command, flag or id offered, exit 2"


def u04(scene):
    """Exit codes are documented, and are those."""
    text = " ".join(scene.ctl("--help").out.split())
    for code in EXIT_CODES:
        check(code in text, "--help lacks '%s'" % code)
    for args, code in ((["status", scene.done], 0), (["run"], 2),
                       (["config", "validate", "none.yaml"], 3),
                       (["status", scene.done, "--coordinator", "127.0.0.1:1"], 4),
                       (["run", scene.plan, "--run-dir", scene.done], 5),
                       (["resume", scene.folder], 7)):
        result = scene.ctl(*args)
        check(result.code == code, "%s: %r" % (args, result))
    return "in --help; 0, 2, 3, 4, 5 and 7 seen (1, 6 and 130 by U-14 and tests/bad_input)"


def u05(scene):
    """--dry-run says what would be started, contacted and written, and does none of it."""
    models = scene.path("models")
    os.makedirs(models)
    with open(os.path.join(models, "a.pt"), "w", encoding="ascii") as file:
        file.write("a model")
    before = tree(scene.folder)
    new = scene.path("new")
    for args, parts in (
            (["run", scene.plan, "--run-dir", new],
             ["1 x", "coordinator", "student_worker", "teacher_server", new]),
            (["run", scene.plan, "--run-dir", new, "--coordinator", "127.0.0.1:1"],
             ["contact", "127.0.0.1:1", new]),
            (["resume", scene.done], ["coordinator", "report.md", scene.done]),
            (["stop", scene.done], ["nothing to stop"]),
            (["label", scene.plan, "--run", "distilled", "--run-dir", scene.done, "--out",
              scene.path("set")], ["rows of 4 classes", scene.path("set")]),
            (["model", "manifest", models], ["a.pt", models + "/manifest.json"])):
        result = scene.ctl(*args, "--dry-run")
        check(result.code == 0, "%s: %r" % (args, result))
        for part in parts:
            check(part in result.out, "%s lacks '%s': %r" % (args, part, result))
    check(tree(scene.folder) == before, "a dry run changed files")
    with scene.running() as (run_dir, process):
        result = scene.ctl("stop", run_dir, "--dry-run")
        check("signal" in result.out and str(process.pid) in result.out, repr(result))
        check(process.poll() is None, "a dry run stopped the plan")
    undisturbed = tree(scene.folder)
    label = ["label", scene.plan, "--run", "distilled", "--run-dir", scene.done, "--out", scene.done]
    for args in (["run", scene.plan, "--run-dir", scene.done], label):
        for more in (["--dry-run"], []):
            refused = scene.ctl(*args, *more)
            check(refused.code == 5, "%s: a dry run finds what a run would: %r" % (args, refused))
    check(tree(scene.folder) == undisturbed, "what was refused changed files")
    return "run, resume, stop, label and model manifest print their plan; no file changed, nothing stopped"


def step_of(update):
    """Of the last run, in a line of watch --json."""
    return (json.loads(update)["status"]["runs"][-1].get("progress") or {}).get("step")


def u06(scene):
    """The form of an answer is chosen alike everywhere; tables are cut to the terminal."""
    with scene.running() as (run_dir, _):
        lists = (["status", run_dir], ["metrics", "list"], ["explain"])
        for args in lists:
            for form in ("table", "wide", "json", "yaml", "name"):
                result = scene.ctl(*args, "-o", form)
                check(result.code == 0 and result.out, "%s -o %s: %r" % (args, form, result))
            check(scene.ctl(*args, "-o", "json").out.startswith("{"), "%s -o json" % args)
            check(scene.ctl(*args, "-o", "yaml").out.startswith("version: 1\n"), "%s -o yaml" % args)
            names = scene.ctl(*args, "-o", "name").out.split("\n")[:-1]
            check(names and all(re.fullmatch(r"[\w/.-]+", name) for name in names), repr(names))
            rows, titled = (scene.ctl(*args, *more).out.count("\n") for more in
                            (["--no-headers"], []))
            check(rows < titled, "%s --no-headers has %d lines of %d" % (args, rows, titled))
            for columns in (40, 80):
                screen = PAINT.sub("", screens.shown(args, scene.folder, columns=columns))
                widest = max(len(line) for line in screen.split("\r\n"))
                check(widest <= columns, "%s on %d columns: %d" % (args, columns, widest))
        check("PID" in scene.ctl("status", run_dir, "-o", "wide").out, "status -o wide has no PID")
        names = scene.ctl("status", run_dir, "-o", "name").out
        check("run/distilled\n" in names and "teacher_server/teacher-0\n" in names, names)
        with contextlib.closing(screens.Following(["watch", run_dir, "--json"], scene.folder)) as watch:
            steps = set()
            tiny_plan.wait_until(lambda: steps.add(step_of(watch.line())) or len(steps) > 2,
                                 "watch shows step after step")
    return "-o table|wide|json|yaml|name, --no-headers; watch follows; 40 and 80 columns hold"


def u07(scene):
    """Colour only on a terminal, never the only sign."""
    with scene.running() as (run_dir, _):
        args = ["status", run_dir]
        coloured = screens.shown(args, scene.folder)
        check(PAINT.search(coloured), "no colour on a terminal: %r" % coloured)
        for name, screen in (
                ("NO_COLOR", screens.shown(args, scene.folder, env={"NO_COLOR": "1"})),
                ("TERM=dumb", screens.shown(args, scene.folder, env={"TERM": "dumb"})),
                ("--color=never", screens.shown([*args, "--color=never"], scene.folder)),
                ("a pipe", scene.ctl(*args).out)):
            check("\x1b" not in screen, "colour with %s: %r" % (name, screen))
            check("STUDENT" in screen and "ready" in screen, "%s: %r" % (name, screen))
        check(PAINT.search(scene.ctl(*args, "--color=always").out), "--color=always in a pipe")
        # A state is a word, whatever its colour.
        check("ready" in PAINT.sub("", coloured), coloured)
    return "none with NO_COLOR, TERM=dumb, --color=never or in a pipe; states are words"


def u08(scene):
    """A flag goes before its environment variable, before the file, before the default."""
    run = ["run", scene.plan, "--dry-run"]
    from_environment = scene.ctl(*run, env={"DISTILL_RUN_DIR": scene.path("environment")})
    check(scene.path("environment") in from_environment.out, repr(from_environment))
    flagged = scene.ctl(*run, "--run-dir", scene.path("flag"),
                        env={"DISTILL_RUN_DIR": scene.path("environment")})
    check(scene.path("flag") in flagged.out and scene.path("environment") not in flagged.out,
          repr(flagged))
    shown = scene.ctl("config", "show", scene.plan, "--set=seed=9", "--origin").out
    for value, origin in (("seed: 9", "--set seed=9"), ("name: tiny", "plan.yaml:1:"),
                          ("momentum: 0.9", "default")):
        check(any(value in line and origin in line for line in shown.split("\n")),
              "'%s' from '%s' is not in: %s" % (value, origin, shown))
    return "flag > DISTILL_RUN_DIR; config show --origin names --set, file and default"


def u09(scene):
    """No prompt without a terminal; on one, what ends work asks, or --yes is given."""
    with scene.running() as (run_dir, process):
        code, screen = screens.typed(["stop", run_dir], scene.folder, PROMPT, "another")
        check(code == 2 and PROMPT in screen and "DST-1006" in screen, screen)
        check(process.poll() is None, "stopped without leave")
        code, screen = screens.typed(["stop", run_dir], scene.folder, PROMPT, "tiny")
        check(code == 0, screen)
        check(process.poll() == 6, "stop returned before the plan had stopped")
    with scene.running() as (run_dir, process):
        code, screen = screens.typed(["stop", run_dir, "--yes"], scene.folder, PROMPT, "")
        check(code == 0 and PROMPT not in screen, screen)
    with scene.running() as (run_dir, process):
        result = scene.ctl("stop", run_dir, seconds=20)  # its stdin is /dev/null
        check(result.code == 2 and "--yes" in result.err and "DST-1006" in result.err, repr(result))
        check(process.poll() is None, "stopped without leave")
        check(scene.ctl("stop", run_dir, "--yes", seconds=20).code == 0, "stop --yes")
    return "stop wants the plan's name typed on a terminal, or --yes; without both it is refused"


def u10(scene):
    """Completion by a fixed script that calls the program back."""
    for shell in ("bash", "zsh", "fish"):
        script = scene.ctl("completion", shell).out
        check("__complete" in script, "%s: %s" % (shell, script))
    words = scene.ctl("__complete", "--", "status", scene.done[:-1]).out.split()
    check(words == [scene.done], "run directories: %s" % words)
    words = scene.ctl("__complete", "--", "label", scene.plan, "--run", "d").out.split()
    check(words == ["distilled"], "run names: %s" % words)
    return "bash, zsh, fish; run directories and names complete (in a real bash: completion test)"


def u11(scene):
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


def u12(scene):
    """A page of all commands, generated from the same tables as help."""
    with open("docs/commands.md", encoding="utf-8") as page:
        check(page.read() == scene.ctl("reference").out, "docs/commands.md is old")
    return "docs/commands.md is what distillctl reference prints"


def cpu_milliseconds(args):
    """CPU time of a whole process: unlike that of the clock, it hardly grows on a busy machine."""
    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    check(process.returncode == 0, "%s ends with %d" % (args, process.returncode))
    return 1000 * (used.ru_utime + used.ru_stime)


def u13(_):
    """distillctl starts quickly: it does not link LibTorch."""
    linked = subprocess.run(["ldd", CTL], capture_output=True, text=True, check=True).stdout
    check("libgrpc" in linked, "ldd shows nothing: " + linked)
    check("torch" not in linked and "libc10" not in linked, linked)
    took = min(cpu_milliseconds([CTL, "--help"]) for _ in range(10))
    check(took < START_MS, "--help takes %.0f ms of CPU time, limit %d" % (took, START_MS))
    return "links no LibTorch; --help takes %.0f ms of CPU time, limit %d" % (took, START_MS)


@functools.cache
def killed_student(scene):
    """What is said of a run whose student was killed."""
    with scene.running() as (run_dir, process):
        os.kill(tiny_plan.entries(run_dir, "student_worker")[0]["pid"], signal.SIGKILL)
        return tiny_plan.finish(process, scene.folder)


def u14(scene):
    """The first process that failed and its reason are the last thing said."""
    result = killed_student(scene)
    check(result.code == 1, repr(result))
    check(result.message.startswith("distillctl: student-0 was killed by SIGKILL"), repr(result))
    last = result.err.rstrip("\n").split("\n")[-2:]
    check("distillctl resume" in last[0] and "distillctl explain" in last[1], repr(result))
    return "'%s', then how to go on" % result.message.split("\n")[0][12:60]


def u15(scene):
    """A signal is named, with its usual cause."""
    result = killed_student(scene)
    check("SIGKILL (often: out of memory)" in result.message and
          "explain DST-4005" in result.err, repr(result))
    explained = scene.ctl("explain", "DST-4005").out
    check("memory" in explained and "dmesg" in explained, explained)
    return "SIGKILL (often: out of memory), explained by DST-4005"


def u16(scene):
    """A student that waits says for whom and for how long, within seconds."""
    with scene.running() as (run_dir, _):
        teachers = [pid for pid in tiny_plan.processes_of(run_dir) if "teacher_server" in command_line(pid)]
        for pid in teachers:
            os.kill(pid, signal.SIGSTOP)
        try:
            found = tiny_plan.wait_until(
                lambda: re.search(r"waits \d+s for labels of teacher role \S+: .*",
                                  scene.ctl("status", run_dir).out),
                "status says that a student waits for its stopped teacher")
        finally:
            for pid in teachers:
                os.kill(pid, signal.SIGCONT)
    return found.group()


def u17(scene):
    """Problems of a plan: all at once, with line, column, caret and the nearest name."""
    with open(scene.plan) as file:
        text = file.read()
    broken = scene.path("broken.yaml")
    with open(broken, "w") as file:
        file.write(text.replace("seed: 3", "seed: three").replace("classes: 4", "clases: 4"))
    result = scene.ctl("config", "validate", broken)
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


def u18(scene):
    """Every error has a stable id that is explained offline and has its place in the docs."""
    with open("docs/errors.md", encoding="utf-8") as file:
        page = file.read()
    ids = set()
    for args in ([], ["frobnicate"], ["run", scene.plan], ["run", scene.plan, "--run-dir=x", "--x"],
                 ["run", scene.plan, "--run-dir=x", "--seed=x"], ["explain", "DST-9999"],
                 ["config", "explain", "stepz"], ["metrics", "explain", "x"],
                 ["config", "validate", "none.yaml"],
                 ["config", "validate", scene.plan, "--set=stepz=1"],
                 ["config", "validate", scene.plan, "--set=seed=x"],
                 ["config", "validate", scene.plan, "--set=runs.teacher.data_set=x"],
                 ["run", scene.plan, "--run-dir", scene.done], ["resume", scene.folder],
                 ["stop", scene.path("none")], ["status", scene.done, "--coordinator=127.0.0.1:1"],
                 ["digest", scene.path("none")],
                 ["label", scene.plan, "--run=x", "--run-dir=y", "--out=z"],
                 ["label", scene.plan, "--run=alone", "--run-dir=y", "--out=z"],
                 ["label", scene.plan, "--run=distilled", "--run-dir=y", "--out=z"]):
        result = scene.ctl(*args)
        check(result.code not in (0, 1), "%s: %r" % (args, result))
        found = ID.search(result.err)
        check(found, "no id: %s: %r" % (args, result))
        more = "More: distillctl explain DST-" + found.group(1)
        check(result.err.rstrip("\n").split("\n")[-1] == more, "%s: %r" % (args, result))
        ids.add(found.group(1))
    for number in ids:
        explained = scene.ctl("explain", "DST-" + number)
        check(explained.code == 0 and "What to do:" in explained.out, repr(explained))
        check("\n### DST-%s\n" % number in page, "docs/errors.md lacks " + number)
    check(len(ids) >= 14, "different errors share an id: %s" % sorted(ids))
    return "20 failures have %d ids, all explained" % len(ids)


def u19(scene):
    """Errors of gRPC are sentences."""
    result = scene.ctl("status", scene.done, "--coordinator", "127.0.0.1:1")
    check(result.code == 4 and "does not answer; is it running?" in result.message and
          "nothing listens there" in result.message, repr(result))
    for raw in ("UNAVAILABLE", "failed to connect", "StatusCode", "errno", "ipv4:"):
        check(raw not in result.err, "'%s' is not for people: %r" % (raw, result))
    return "a coordinator that is not there: '%s'" % result.message.split("\n")[0][12:]


def u20(scene):
    """Teacher and student that do not fit are found before the first step."""
    tiny_plan.write_idx_set(scene.folder, "other")
    plan = tiny_plan.write_plan(scene.folder, ("tiny", "other"))
    result = scene.ctl("config", "validate", plan, "--set=data_sets.other.classes=5",
                       "--set=runs.distilled.data_set=other")
    tiny_plan.write_plan(scene.folder)
    check(result.code == 3 and "4 classes" in result.err and "5" in result.err, repr(result))
    return ("other classes refused by config validate (another shape when the teacher loads: "
            "tests/bad_input)")


def u21(scene):
    """A loss that is not finite: what, where, and the batch kept for replay."""
    result = scene.ctl("run", scene.plan, "--run-dir", scene.path("diverged"),
                       ("--set=runs.distilled.schedules.learning_rate={pieces: [{begin_step: 0, "
                        "end_step: 1, constant: {value: 1e30}}]}"))
    said = re.search(r"step (\d+): (.*) \[DST-400[12]\]", result.err)
    check(result.code == 1 and said, "%r" % result)
    kept = re.search(r"is in (\S+\.safetensors)", said.group())
    check(kept, said.group())
    with open(kept.group(1), "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    check({"ids", "inputs", "hard_labels"} < set(header) and any(name.startswith("labels.") for name in header),
          sorted(header))
    check(header["__metadata__"]["step"] == said.group(1), header["__metadata__"])
    return said.group()


ROWS = [(name[0].upper() + "-" + name[1:], function) for name, function in sorted(globals().items())
        if re.fullmatch(r"u\d\d", name)]


def look(scene):
    """(row, verdict, what) of each, verdict HOLDS or FAILS."""
    for row, function in ROWS:
        try:
            yield row, "HOLDS", function(scene)
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as why:
            yield row, "FAILS", "%s %s" % (function.__doc__, why)


def main():
    scene = Scene()
    try:
        failed = False
        for row, verdict, what in look(scene):
            print(row, verdict, what, flush=True)
            failed = failed or verdict == "FAILS"
        return 1 if failed else 0
    finally:
        scene.close()


if __name__ == "__main__":
    sys.exit(main())
