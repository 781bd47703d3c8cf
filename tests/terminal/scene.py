"""A plan for the checks of distillctl: done in one run directory, and running in others."""

import contextlib
import os
import shutil
import signal
import tempfile

from tests.bad_input import tiny_plan

CTL = tiny_plan.DISTILLCTL
LONG = ["--set=runs.distilled.training.steps=1000000",
        ("--set=runs.distilled.schedules.learning_rate={pieces: [{begin_step: 0, "
         "end_step: 1000000, constant: {value: 0.01}}]}")]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Scene:
    """A folder with a plan, a run directory in which it is done, and one in which it runs."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="u_rows_")
        tiny_plan.write_idx_set(self.folder, "tiny")
        self.plan = tiny_plan.write_plan(self.folder)
        self.done = self.path("done")
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
