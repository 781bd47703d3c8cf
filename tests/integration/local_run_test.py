"""What a user of `distillctl run` sees: steps, status, stopping and going on."""

import collections
import datetime
import gzip
import json
import os
import re
import signal
import unittest

from tests.support.local_plan import LocalPlanTest, command, wait_until

DONE, REFUSED, PREEMPTED = 0, 5, 6
SIGTERM_EXIT = 128 + signal.SIGTERM


class LocalRunTest(LocalPlanTest):

    def test_every_rank_logs_each_step_once_with_the_values_of_the_schedules(self):
        self.assert_each_step_once(self.undisturbed)

    def test_the_phases_of_a_step_add_up_to_its_wall_time(self):
        for run in ("teacher", "distilled"):
            for rank in (0, 1):
                for record in self.undisturbed.steps(run, rank):
                    phases = sum(seconds for field, seconds in record.items()
                                 if field.endswith("_seconds") and field != "wall_seconds")
                    self.assertAlmostEqual(phases, record["wall_seconds"],
                                           delta=record["wall_seconds"] / 100)

    def test_the_times_of_every_answer_are_recorded_and_the_teachers_part_is_no_more_than_all(self):
        for rank in (0, 1):
            records = self.undisturbed.steps("distilled", rank)
            answers = [record["answers"] for record in records if "answers" in record]
            self.assertGreaterEqual(sum(times["count"] for times in answers), len(records))
            stages = sum(times[stage] for times in answers
                         for stage in ("queue", "assemble", "infer", "encode"))
            self.assertGreater(stages, 0)
            self.assertLessEqual(stages, sum(times["total"] for times in answers))
            for record in self.undisturbed.steps("teacher", rank):
                self.assertNotIn("answers", record)

    def test_the_report_says_what_bounded_each_run(self):
        with open(os.path.join(self.undisturbed.path, "report.json"), encoding="utf-8") as file:
            models = json.load(file)["models"]
        for run in ("teacher", "distilled"):
            self.assertRegex(models[run]["verdict"],
                             r"^([a-z]+-bound|not known what bounds it): .*% of the time")
            self.assertIn("%s: %s" % (run, models[run]["verdict"].split(" ")[0]),
                          self.undisturbed.output())

    def test_the_coordinator_answers_until_the_models_are_compared(self):
        told = re.search(r"(?m)^(\S+)Z coordinator: stops: ", self.undisturbed.log("coordinator"))
        stopped = datetime.datetime.fromisoformat(told.group(1) + "+00:00").timestamp()
        compared = os.stat(os.path.join(self.undisturbed.path, "report.md")).st_mtime
        self.assertLessEqual(int(1000 * compared), round(1000 * stopped))

    def test_the_labelled_subset_is_recorded(self):
        with open(os.path.join(self.undisturbed.path, "distilled/labelled_subset.txt"),
                  encoding="ascii") as file:
            ids = [int(line) for line in file]
        self.assertEqual(len(set(ids)), 600)
        with gzip.open("/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8:]
        self.assertEqual(collections.Counter(labels[i] for i in ids),
                         {label: 60 for label in range(10)})

    def test_a_finished_plan_can_be_resumed_and_is_still_finished(self):
        before = self.undisturbed.digests()
        report = os.path.join(self.undisturbed.path, "report.json")
        with open(report, encoding="utf-8") as file:
            first = file.read()
        self.assert_ends_with(self.undisturbed.resume(), DONE)
        self.assertEqual(self.undisturbed.digests(), before)
        with open(report, encoding="utf-8") as file:
            self.assertEqual(file.read(), first)

    def test_a_folder_that_is_not_empty_is_refused_with_the_way_out(self):
        plan = self.undisturbed
        before = plan.digests()
        code, _, err = command("run", "examples/small.yaml", "--run-dir", plan.path)
        self.assertEqual(code, REFUSED, err)
        self.assertIn("distillctl resume " + plan.path, err)
        self.assertIn("--run-dir", err)
        self.assertEqual(plan.digests(), before)

    def test_status_after_the_end_names_the_report(self):
        code, out, err = command("status", self.undisturbed.path)
        self.assertEqual(code, DONE, err)
        self.assertIn("report.md", out)

    def test_a_teacher_told_to_stop_drains_and_the_run_goes_on(self):
        plan = self.plan("drained").run()
        plan.wait_for_step(80)
        code, out, err = command("status", plan.path)
        self.assertEqual(code, DONE, err)
        for word in ("running", "distilled", "student-0", "teacher-1", "ready"):
            self.assertIn(word, out)
        code, _, err = command("resume", plan.path)
        self.assertEqual(code, REFUSED, err)
        self.assertIn("runs already", err)
        plan.signal("teacher-0", signal.SIGTERM)
        wait_until("the teacher's end", lambda: "teacher-0" not in plan.processes())
        self.assertLess(len(plan.steps()), 250)
        self.assertIn("drains: SIGTERM", plan.log("teacher-0"))
        self.assert_ends_with(plan, DONE)
        self.assertIn("teacher-0 ended with exit code 0", plan.output())
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)

    def test_a_student_told_to_stop_is_not_taken_for_one_that_is_done(self):
        plan = self.plan("student_told").run()
        plan.wait_for_step(80)
        plan.signal("student-0", signal.SIGTERM)
        wait_until("its exit code", lambda: "student-0 ended with exit code" in plan.output(), 30)
        self.assertIn("student-0 ended with exit code %d" % PREEMPTED, plan.output())
        self.assertIn("stopped by a signal", plan.log("student-0"))

    def test_a_teacher_told_twice_ends_at_once(self):
        plan = self.plan("teacher_twice").run()
        plan.wait_for_step(80)
        # Were it alone, the other one would be asked for what is late.
        plan.signal("teacher-1", signal.SIGSTOP)
        plan.signal("teacher-0", signal.SIGSTOP)
        plan.wait_for_stall()
        # Two signals of one number would be one to a stopped process. It has asks to answer
        # when it goes on, and does not wait for that.
        plan.signal("teacher-0", signal.SIGINT, signal.SIGTERM, signal.SIGCONT)
        plan.signal("teacher-1", signal.SIGCONT)
        wait_until("the teacher's end", lambda: "teacher-0" not in plan.processes(), 10)
        wait_until("its exit code", lambda: "teacher-0 ended with exit code" in plan.output(), 10)
        self.assertRegex(plan.output(), "teacher-0 ended with exit code (%d|%d)"
                         % (SIGTERM_EXIT, 128 + signal.SIGINT))

    def test_a_stopped_plan_goes_on_even_when_it_was_told_twice_to_stop(self):
        plan = self.plan("stopped").run()
        plan.wait_for_step(60)
        code, _, err = command("stop", plan.path, "--yes")
        self.assertEqual(code, DONE, err)
        self.assertIn("distillctl resume " + plan.path, err)
        self.assert_ends_with(plan, PREEMPTED)
        self.assertLess(len(plan.steps()), 250)

        plan.resume().wait_for_step(150)
        # It waits for the teacher server, which cannot stop.
        plan.signal("teacher-1", signal.SIGSTOP)
        teacher = plan.processes()["teacher-1"]["pid"]
        plan.signal_distillctl(signal.SIGTERM)
        wait_until("the coordinator's end", lambda: plan.log("coordinator").count("stops: SIGTERM") == 2)
        plan.signal_distillctl(signal.SIGTERM)
        wait_until("distillctl's end", plan.ended, 10)
        plan.kill(teacher)
        self.assert_ends_with(plan, SIGTERM_EXIT)

        self.assert_ends_with(plan.resume(), DONE)
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)


if __name__ == "__main__":
    unittest.main()
