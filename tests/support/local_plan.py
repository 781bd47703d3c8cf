"""`distillctl run` on examples/small.yaml, as a user starts it, watched from outside."""

import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

# A test of Bazel has it here; DISTILL_BIN is for scripts.
DISTILLCTL = os.path.abspath(os.path.join(os.environ.get("DISTILL_BIN", ""), "cli/distillctl"))
SMALL = os.path.abspath("examples/small.yaml")

# The whole of what a step of a test may take on a busy machine.
PATIENCE = 90
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def wait_until(what, condition, seconds=PATIENCE):
    """The first true value of `condition`, which is asked again and again until `seconds` are over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


def command(*arguments):
    """Runs distillctl to its end: exit code, stdout, stderr."""
    done = subprocess.run(
        [DISTILLCTL, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _pids_of(path):
    """Processes, but distillctl itself, that were started for the run directory `path`."""
    pids = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue
        if path.encode() in arguments:
            pids.append(int(name))
    return pids


class LocalPlan:
    """One run directory, and the distillctl that runs there, if any.

    That one starts the programs beside it. `teacher_flags` are for its teacher servers, in addition.
    """

    def __init__(self, name, teacher_flags=()):
        self._distillctl = DISTILLCTL
        self.path = os.path.join(tempfile.mkdtemp(prefix="distill-"), name)
        self._output = self.path + ".output"
        self._process = None
        if teacher_flags:
            self._add_to_teachers(teacher_flags)

    def _add_to_teachers(self, flags):
        """Puts a script before the teacher server, and a distillctl that starts it."""
        programs = os.path.join(os.path.dirname(self.path), "bin")
        os.mkdir(programs)
        built = os.path.dirname(os.path.dirname(os.path.realpath(DISTILLCTL)))
        for program in ("coordinator/coordinator", "student_worker/student_worker",
                        "student_worker/evaluate"):
            os.symlink(os.path.join(built, program),
                       os.path.join(programs, os.path.basename(program)))
        teacher_server = os.path.join(programs, "teacher_server")
        with open(teacher_server, "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\nexec %s \"$@\" %s\n" % (
                shlex.quote(os.path.join(built, "teacher_server/teacher_server")),
                shlex.join(flags)))
        os.chmod(teacher_server, 0o755)
        self._distillctl = shutil.copy(DISTILLCTL, programs)  # it looks beside its real path

    def run(self, *settings, config=SMALL):
        return self._start("run", config, "--run-dir", self.path, *settings)

    def resume(self, *flags):
        return self._start("resume", self.path, *flags)

    def _start(self, *arguments):
        with open(self._output, "ab") as output:
            self._process = subprocess.Popen(
                [self._distillctl, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
        return self

    def output(self):
        return _read(self._output)

    def log(self, process):
        return _read(os.path.join(self.path, "logs", process + ".log"))

    def processes(self):
        """What processes.json lists, by name."""
        text = _read(os.path.join(self.path, "processes.json"))
        return {entry["name"]: entry for entry in json.loads(text or "[]")}

    def signal(self, process, *signals):
        for one in signals:
            os.kill(self.processes()[process]["pid"], one)

    def signal_distillctl(self, *signals):
        for one in signals:
            self._process.send_signal(one)

    def kill(self, pid):
        """One of this plan's, if it is still there."""
        if pid in _pids_of(self.path):
            os.kill(pid, signal.SIGKILL)

    def ended(self):
        """Whether distillctl has."""
        return self._process.poll() is not None

    def steps(self, run="distilled", rank=0):
        """The whole lines of a rank's metrics."""
        text = _read(os.path.join(self.path, run, "metrics.rank%d.jsonl" % rank))
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def wait_for_step(self, step, run="distilled"):
        def reached():
            if self._process.poll() is not None:
                raise AssertionError("distillctl ended with %d before step %d of %s"
                                     % (self._process.returncode, step, run))
            return len(self.steps(run)) >= step
        wait_until("step %d of run %s" % (step, run), reached)

    def wait_for_stall(self):
        """Until no step was made for a second."""
        last = [len(self.steps()), time.monotonic()]

        def stalled():
            now = len(self.steps()), time.monotonic()
            if now[0] != last[0]:
                last[:] = now
            return now[1] - last[1] > 1
        wait_until("a stall of run distilled", stalled)
        return last[0]

    def metrics(self, process):
        """Of the process's ops port: the sum over all labels, by name."""
        url = "http://%s/metrics" % self.processes()[process]["ops_address"]
        sums = {}
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if not line.startswith("#"):
                    key, value = line.rsplit(" ", 1)
                    name = key.split("{")[0]
                    sums[name] = sums.get(name, 0) + float(value)
        return sums

    def served_by(self, student):
        """Labels by teacher, and asks that were repeated or hedged: as the student's log sums up."""
        served, again = {}, 0
        for line in re.findall(r"labels of teacher for run distilled: (.*)", self.log(student)):
            repeated = re.search(r"(\d+) of them asked again, (\d+) hedged", line)
            again += int(repeated[1]) + int(repeated[2])
            for teacher, count in re.findall(r"(teacher-\d+)=(\d+)", line):
                served[teacher] = served.get(teacher, 0) + int(count)
        return served, again

    def wait(self, seconds=PATIENCE):
        """The exit code of distillctl, once it and all it started are gone."""
        wait_until("the end of distillctl", lambda: self._process.poll() is not None, seconds)
        wait_until("the end of all processes of " + self.path, lambda: not _pids_of(self.path))
        return self._process.returncode

    def digests(self):
        """By run."""
        code, out, err = command("digest", self.path)
        if code != 0:
            raise AssertionError("digest: exit code %d: %s" % (code, err))
        return {run: digest for digest, run in (line.split() for line in out.splitlines())}

    def story(self):
        parts = ["==> distillctl\n" + self.output()]
        folder = os.path.join(self.path, "logs")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            parts.append("==> %s\n%s" % (name, "\n".join(_read(os.path.join(folder, name)).split("\n")[-15:])))
        return "\n".join(parts)

    def close(self):
        """Ends all that is left and removes the run directory."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pid in _pids_of(self.path):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended meanwhile
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)


class PlanTest(unittest.TestCase):
    """Prints what every plan of a failing test saw; leaves nothing running."""

    @classmethod
    def setUpClass(cls):
        # Bazel ends a test that is late with SIGTERM: clean up then too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def plan(self, name, **options):
        plan = LocalPlan(name, **options)
        self.addCleanup(plan.close)
        self._plans.append(plan)
        return plan

    def run(self, result=None):
        self._plans = []
        return super().run(result)

    def tearDown(self):
        outcome = self._outcome
        if any(error for _, error in getattr(outcome, "errors", [])) or not outcome.success:
            for plan in self._plans:
                print(plan.story(), file=sys.stderr)

    def assert_ends_with(self, plan, code):
        self.assertEqual(plan.wait(), code, plan.story())


class LocalPlanTest(PlanTest):
    """Beside a run of small.yaml that nobody disturbs."""

    undisturbed = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.undisturbed = LocalPlan("undisturbed")
        cls.addClassCleanup(cls.undisturbed.close)
        code = cls.undisturbed.run().wait()
        if code != 0:
            raise AssertionError("exit code %d\n%s" % (code, cls.undisturbed.story()))

    def assert_same_weights(self, plan):
        """As those of the undisturbed run, bit for bit, for every run of the plan."""
        expected = self.undisturbed.digests()
        self.assertEqual(set(expected), {"teacher", "distilled"})
        self.assertEqual(plan.digests(), expected, plan.story())

    def assert_each_step_once(self, plan):
        """On both ranks, with the values of the schedules of small.yaml."""
        def linear(step, steps, begin, end):
            return begin + (end - begin) * step / steps

        for run, steps in (("teacher", 200), ("distilled", 250)):
            ranks = [plan.steps(run, rank) for rank in (0, 1)]
            for records in ranks:
                self.assertEqual([record["step"] for record in records], list(range(steps)))
            for here, there in zip(*ranks):
                for field in ("loss", "temperature", "hard_weight", "soft_weight", "learning_rate"):
                    self.assertEqual(here[field], there[field], (run, here["step"], field))
        for record in plan.steps("teacher"):
            self.assertAlmostEqual(record["learning_rate"], linear(record["step"], 200, 0.1, 0.01), 12)
        for record in plan.steps("distilled"):
            for field, begin, end in (("temperature", 4, 2), ("soft_weight", 0.9, 0.5),
                                      ("hard_weight", 0.1, 0.5), ("learning_rate", 0.05, 0.01)):
                self.assertAlmostEqual(record[field], linear(record["step"], 250, begin, end), 12)
