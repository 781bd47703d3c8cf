"""Every query of the boards and of the recording rules, asked of a real Prometheus that watches a real run.

Prints a line for each: HAS DATA, EMPTY or ERROR. Skipped without Debian's package prometheus, which
`tools/setup --checks` installs. deploy/monitoring/test_board runs it without Bazel."""

import ctypes
import glob
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

from deploy.monitoring import drift
from tests.support import local_plan

# Absolute, since Prometheus has a folder of its own.
RULES = sorted(glob.glob(os.path.abspath("deploy/monitoring/rules/*.yml")))
BOARDS = sorted(glob.glob(os.path.abspath("deploy/monitoring/dashboards/*.json")))
# As a person chooses them: one plan, one run, any instance; a label that is missing finds nothing. The
# interval is longer than a restart takes on a busy machine.
VARIABLES = {"plan": "small", "run": "distilled", "instance": ".+", "__rate_interval": "1m"}
# Long enough to be watched, with what a user's run has: evaluations, checkpoints, merged labels.
SETTINGS = ["--set=runs.distilled.training.%s" % each for each in (
    "steps=100000", "evaluate_every_steps=20", "checkpoint_every_steps=20")] + ["--set=runs.distilled.labels.exact=false"]
CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: %s
scrape_configs:
  - job_name: distill
    file_sd_configs:
      - {files: [%s], refresh_interval: 1s}
"""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Prometheus:
    def __init__(self, targets):
        self._folder = tempfile.mkdtemp(prefix="distill-prometheus-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = "127.0.0.1:%d" % free.getsockname()[1]
        self._log = os.path.join(self._folder, "log")
        config = os.path.join(self._folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG % (json.dumps(RULES), json.dumps(targets)))
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", "--config.file=" + config, "--storage.tsdb.path=" + os.path.join(self._folder, "data"),
                 "--web.listen-address=" + self._address],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))

    def ask(self, path, **parameters):
        """The answer's data; ValueError with what Prometheus says of a bad question."""
        url = "http://%s/api/v1/%s?%s" % (self._address, path, urllib.parse.urlencode(parameters, doseq=True))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", str(error)))

    def ready(self):
        if self._process.poll() is not None:
            raise AssertionError("prometheus ended with %d\n%s" % (self._process.returncode, self.log()))
        try:
            with urllib.request.urlopen("http://%s/-/ready" % self._address, timeout=10):
                return True
        except OSError:
            return False

    def log(self):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Question:
    """A query, asked as Grafana would."""

    def __init__(self, where, text, over_range=True, label=""):
        self.where = where
        self.text = re.sub(r"\$(\w+)", lambda match: VARIABLES.get(match[1], match[0]), text)
        self._range = over_range
        self._label = label
        self.answer = "EMPTY"

    def ask(self, prometheus, began):
        now = time.time()
        try:
            if self._label:
                data = prometheus.ask("label/%s/values" % self._label, **{"match[]": self.text})
                self.answer = "HAS DATA" if data else "EMPTY"
                return
            data = (prometheus.ask("query_range", query=self.text, start=began, end=now, step=1) if self._range
                    else prometheus.ask("query", query=self.text, time=now))
        except ValueError as error:
            self.answer = "ERROR %s" % error
            return
        samples = [sample for series in data["result"] for sample in series.get("values") or [series["value"]]]
        self.answer = "HAS DATA" if any(math.isfinite(float(value)) for _, value in samples) else "EMPTY"

    def __str__(self):
        return "%s: %s: %s" % (self.answer, self.where, " ".join(self.text.split()))


def questions():
    found = []
    for path in BOARDS:
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        found += [Question(where, text, over_range) for where, text, _, over_range in drift.queries(board)]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                text, label = drift.variable_query(variable)
                found.append(Question("variable '%s'" % variable["name"], text, label=label))
    for path in RULES:
        with open(path, encoding="utf-8") as file:
            groups = yaml.safe_load(file)["groups"]
        found += [Question("recording rule", rule["record"], over_range=False)
                  for group in groups for rule in group["rules"] if "record" in rule]
    return found


@unittest.skipUnless(shutil.which("prometheus"), "no prometheus here: tools/setup --checks installs it")
class LiveBoard(local_plan.PlanTest):

    def setUp(self):
        self.small = self.plan("board")
        self.prometheus = Prometheus(self.small.path + "/metrics_targets.json")
        self.addCleanup(self.prometheus.close)
        local_plan.wait_until("a ready Prometheus", self.prometheus.ready)
        self.began = time.time()
        self.small.run(*SETTINGS)

    def targets(self):
        return self.prometheus.ask("targets", state="active")["activeTargets"]

    def wait_until_watched(self, generation):
        """Until all five processes are up, and run distilled was evaluated, under this coordinator's generation."""
        evaluated = Question("", 'distill_student_eval_accuracy_ratio{run="$run"} and on (plan) '
                                 "distill_coordinator_generation == %d" % generation, over_range=False)

        def watched():
            if self.small.ended():
                raise AssertionError("distillctl ended\n" + self.small.story())
            evaluated.ask(self.prometheus, self.began)
            return evaluated.answer == "HAS DATA" and [each["health"] for each in self.targets()] == 5 * ["up"]

        local_plan.wait_until("5 processes up and an evaluation, generation %d" % generation, watched)

    def all_rules(self):
        return [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]

    def test_every_query_has_data_of_a_run_that_was_killed_and_resumed(self):
        asked = questions()
        self.assertGreater(len(asked), 25)
        self.wait_until_watched(generation=1)
        self.small.signal("coordinator", signal.SIGKILL)
        self.assert_ends_with(self.small, 1)
        self.small.resume()
        self.wait_until_watched(generation=2)

        def answered():
            for each in asked:
                if each.answer != "HAS DATA":
                    each.ask(self.prometheus, self.began)
            return all(each.answer == "HAS DATA" for each in asked)

        try:
            local_plan.wait_until("data for every query", answered, seconds=30)
        except AssertionError:
            pass  # the lines say of which there is none
        for each in asked:
            print(each)
        self.assertEqual([], [str(each) for each in asked if each.answer != "HAS DATA"])

        # An expression may be refused only when there are two series where it wants one.
        local_plan.wait_until("an evaluation of each rule",
                              lambda: all(rule["health"] != "unknown" for rule in self.all_rules()))
        self.assertEqual([], [(rule["name"], rule["lastError"]) for rule in self.all_rules() if rule["health"] != "ok"])

        for target in self.targets():
            with urllib.request.urlopen(target["scrapeUrl"], timeout=10) as page:
                done = subprocess.run(["promtool", "check", "metrics"], input=page.read(), capture_output=True,
                                      timeout=60, check=False)
            said = (done.stdout + done.stderr).decode()
            print("promtool check metrics: %s: %s" % (target["labels"]["process"], said.strip() or "ok"))
            self.assertEqual((done.returncode, said), (0, ""), target["labels"]["process"])


if __name__ == "__main__":
    unittest.main()
