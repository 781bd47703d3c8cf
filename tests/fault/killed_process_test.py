"""One process of a local plan is killed, or stands still, in the middle of the distilled run."""

import json
import signal
import unittest

from tests.support.local_plan import LocalPlanTest, command, wait_until

STEPS = 250
WINDOW = 4
TEACHERS = ("teacher-0", "teacher-1")
STUDENTS = ("student-0", "student-1")


class KilledProcessTest(LocalPlanTest):

    def test_without_a_teacher_the_other_serves_the_rest_and_the_weights_are_the_same(self):
        plan = self.plan("teacher").run()
        plan.wait_for_step(100)
        # Both serve. How the labels are divided follows from how fast they happen to be, and is
        # tested with a clock of its own: //student_worker/label_source.
        for name in TEACHERS:
            self.assertGreater(plan.metrics(name)["distill_teacher_items_total"], 0, name)
        # Stopped, they keep what they are asked: students are sure to wait for teacher-0. Were it
        # alone in that, teacher-1 would be asked for what is late.
        for name in TEACHERS:
            plan.signal(name, signal.SIGSTOP)
        steps = plan.wait_for_stall()
        self.assertLess(steps, STEPS)
        plan.signal("teacher-0", signal.SIGKILL)
        plan.signal("teacher-1", signal.SIGCONT)
        self.assert_ends_with(plan, 0)

        self.assertIn("teacher-0 was killed by SIGKILL", plan.output())
        asked_again = served_before = 0
        for student in STUDENTS:
            served, again = plan.served_by(student)
            asked_again += again
            self.assertEqual(sum(served.values()), STEPS, served)
            self.assertLessEqual(served["teacher-0"], steps + WINDOW, served)
            served_before += served["teacher-0"]
        self.assertGreater(served_before, 0)
        self.assertGreaterEqual(asked_again, 1)
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)

    def test_without_a_student_the_plan_ends_and_a_resumed_one_has_the_same_weights(self):
        plan = self.plan("student").run()
        plan.wait_for_step(110)
        plan.signal("student-1", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        self.assertIn("student-1 was killed by SIGKILL", plan.output())
        self.assertIn("distillctl resume " + plan.path, plan.output())
        self.assertLess(len(plan.steps()), STEPS)
        self.assert_ends_with(plan.resume(), 0)
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)

    def test_without_the_coordinator_the_plan_ends_and_a_resumed_one_has_the_same_weights(self):
        plan = self.plan("coordinator").run()
        plan.wait_for_step(110)
        plan.signal("coordinator", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        self.assertIn("coordinator was killed by SIGKILL", plan.output())
        self.assertIn("distillctl resume " + plan.path, plan.output())
        self.assertLess(len(plan.steps()), STEPS)
        self.assert_ends_with(plan.resume(), 0)
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)

    def test_a_student_that_stood_still_is_taken_back_and_the_weights_are_the_same(self):
        plan = self.plan("stalled").run()
        plan.wait_for_step(60)
        plan.signal("student-1", signal.SIGSTOP)

        def gone():
            code, out, err = command("status", "--json", plan.path)
            self.assertEqual(code, 0, err)
            return ("student-1", "GONE") in [(member["worker"], member["state"])
                                             for member in json.loads(out)["members"]]
        wait_until("that the coordinator misses student-1", gone)
        self.assertLess(len(plan.steps()), STEPS)
        plan.signal("student-1", signal.SIGCONT)
        self.assert_ends_with(plan, 0)
        self.assert_each_step_once(plan)
        self.assert_same_weights(plan)

    def test_another_seed_gives_other_weights(self):
        plan = self.plan("seed").run("--seed=2")
        self.assert_ends_with(plan, 0)
        ours, theirs = plan.digests(), self.undisturbed.digests()
        for run in ("teacher", "distilled"):
            self.assertNotEqual(ours[run], theirs[run])


if __name__ == "__main__":
    unittest.main()
