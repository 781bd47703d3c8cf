"""A plan of processes that were started by hand: submitted, stopped, and resumed where it is."""

import json
import os
import shutil
import signal
import tempfile
import unittest

from tests.bad_input import tiny_plan

DONE, UNREACHABLE, REFUSED, STOPPED, DATA, INTERRUPTED = 0, 4, 5, 6, 7, 130


class PlanElsewhere(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plan_elsewhere_")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(tiny_plan.kill_all, self.folder)
        tiny_plan.write_idx_set(self.folder, "tiny")
        self.plan = tiny_plan.write_plan(self.folder)
        self.run_dir = os.path.join(self.folder, "run")
        self.coordinator, self.address = self.start_coordinator("journal")

    def watched(self, process):
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def start_coordinator(self, name):
        process, address = tiny_plan.start_coordinator(self.folder, os.path.join(self.folder, name))
        return self.watched(process), address

    def start_worker(self, program):
        return self.watched(tiny_plan.start_by_hand(program, self.folder, "--run-dir", self.run_dir,
                                                    "--coordinator", self.address))

    def start_ctl(self, *args):
        return self.watched(tiny_plan.start([tiny_plan.DISTILLCTL, *args], self.folder))

    def ctl(self, *args):
        return tiny_plan.finish(self.start_ctl(*args), self.folder)

    def status(self):
        """None while it has no answer."""
        out = self.ctl("status", self.run_dir, "-o", "json").out
        return json.loads(out) if out else None

    def states(self):
        status = self.status()
        return [run["state"] for run in status["runs"]] if status else None

    def steps(self, run):
        with open(os.path.join(self.run_dir, run, "metrics.rank0.jsonl")) as lines:
            return [json.loads(line)["step"] for line in lines]

    def stop_without_a_teacher_server(self):
        """Two of the three runs are done, and the plan is stopped while the third waits."""
        run = self.start_ctl("run", self.plan, "--run-dir", self.run_dir, "--coordinator",
                             self.address)
        student = self.start_worker("student_worker/student_worker")
        tiny_plan.wait_until(lambda: self.states() == ["DONE", "DONE", "WAITING"], "two runs done")
        stop = self.ctl("stop", self.run_dir, "--yes")
        self.assertEqual(stop.code, DONE, stop)
        followed = tiny_plan.finish(run, self.folder)
        self.assertEqual(followed.code, STOPPED, followed)
        for result in (stop, followed):
            self.assertIn("continue with: distillctl resume %s --coordinator %s" %
                          (self.run_dir, self.address), result.err)
        sent_away = tiny_plan.finish(student, self.folder)
        self.assertEqual(sent_away.code, DONE)
        self.assertRegex(sent_away.err, r"plan tiny-\d+ has ended \(STOPPED\)")
        self.assertEqual(self.states(), ["DONE", "DONE", "HALTED"])

    def test_a_stopped_plan_goes_on_where_it_was_once_it_is_resumed_and_has_workers_again(self):
        self.stop_without_a_teacher_server()
        resume = self.start_ctl("resume", self.run_dir)
        tiny_plan.wait_until(lambda: self.status()["state"] == "RUNNING", "the plan goes on")
        beside = self.start_ctl("resume", self.run_dir)
        self.assertTrue(tiny_plan.says(beside, "does not have to be resumed: it runs"))
        beside.send_signal(signal.SIGINT)
        self.assertEqual(tiny_plan.finish(beside, self.folder).code, INTERRUPTED)
        self.start_worker("student_worker/student_worker")
        self.start_worker("teacher_server/teacher_server")
        result = tiny_plan.finish(resume, self.folder)
        self.assertEqual(result.code, DONE, result)
        self.assertIn("plan tiny goes on; start its workers again", result.err)
        for run in ("teacher", "alone", "distilled"):
            self.assertEqual(self.steps(run), list(range(8)), "each step of %s once" % run)

        report = os.path.join(self.run_dir, "report.json")
        written = os.stat(report).st_mtime_ns
        again = self.ctl("resume", self.run_dir)
        self.assertEqual((again.code, again.err),
                         (DONE, "plan tiny is done; see %s/report.md\n" % self.run_dir))
        self.assertEqual(os.stat(report).st_mtime_ns, written)

    def test_a_dry_resume_says_whom_it_would_contact_and_changes_nothing(self):
        self.stop_without_a_teacher_server()
        result = self.ctl("resume", self.run_dir, "--dry-run")
        self.assertEqual(result.code, DONE, result)
        self.assertRegex(result.out, "would contact +the coordinator at " + self.address)
        self.assertEqual(self.states(), ["DONE", "DONE", "HALTED"])

    def test_a_coordinator_that_has_another_plan_or_none_is_not_told_to_go_on_with_it(self):
        self.stop_without_a_teacher_server()
        _, empty = self.start_coordinator("empty")
        result = self.ctl("resume", self.run_dir, "--coordinator", empty)
        self.assertEqual(result.code, DATA, result)
        self.assertIn("has no plan to go on with", result.message)
        result = self.ctl("status", self.run_dir, "--coordinator", empty)
        self.assertIn("no plan was submitted", result.message)

        # The same in another folder is another plan; the same command again is that one.
        other = os.path.join(self.folder, "other")
        submitted = os.path.join(other, "submitted_to.txt")
        ids = set()
        for name in ("other", "./other"):
            run = self.start_ctl("run", self.plan, "--run-dir", name, "--coordinator", self.address)
            self.assertTrue(tiny_plan.says(run, "waits for"))
            with open(submitted, encoding="ascii") as file:
                ids.add(file.read())
        self.assertEqual(len(ids), 1, ids)
        for command in (("resume", self.run_dir), ("stop", self.run_dir, "--yes")):
            result = self.ctl(*command)
            self.assertEqual(result.code, REFUSED, result)
            self.assertRegex(result.message, r"has plan tiny-\d+, but \S+run holds plan tiny-\d+")
        result = self.ctl("status", other, "-o", "json")
        self.assertEqual(json.loads(result.out)["state"], "RUNNING")

    def test_a_coordinator_that_came_back_elsewhere_is_named_once(self):
        self.stop_without_a_teacher_server()
        self.coordinator.terminate()
        tiny_plan.finish(self.coordinator, self.folder)
        result = self.ctl("resume", self.run_dir)
        self.assertEqual(result.code, UNREACHABLE, result)
        self.coordinator, self.address = self.start_coordinator("journal")
        resume = self.start_ctl("resume", self.run_dir, "--coordinator", self.address)
        tiny_plan.wait_until(lambda: self.states() == ["DONE", "DONE", "WAITING"], "it goes on")
        self.start_worker("student_worker/student_worker")
        self.start_worker("teacher_server/teacher_server")
        result = tiny_plan.finish(resume, self.folder)
        self.assertEqual(result.code, DONE, result)

    def test_a_plan_that_distillctl_runs_here_stays_one_of_here(self):
        here = os.path.join(self.folder, "here")
        run = self.start_ctl("run", self.plan, "--run-dir", here,
                             "--set=runs.alone.training.steps=1000000",
                             "--set=runs.alone.schedules.learning_rate={pieces: [{begin_step: 0, "
                             "end_step: 1000000, constant: {value: 0.01}}]}")
        begun = os.path.join(here, "alone", "metrics.rank0.jsonl")
        tiny_plan.wait_until(lambda: os.path.exists(begun), "a run begins")
        address = tiny_plan.entries(here, "coordinator")[0]["address"]
        follow = self.start_ctl("resume", here, "--coordinator", address)
        self.assertTrue(tiny_plan.says(follow, "does not have to be resumed: it runs"))
        for process in (follow, run):
            process.send_signal(signal.SIGINT)
            self.assertEqual(tiny_plan.finish(process, self.folder).code, INTERRUPTED)
        result = self.ctl("resume", here, "--dry-run")
        self.assertEqual(result.code, DONE, result)
        self.assertRegex(result.out, "would start +1 x \\S+coordinator")


if __name__ == "__main__":
    unittest.main()
