"""`distillctl run` on examples/small.yaml with hidden states, of which students make logits."""

import signal
import unittest

from tests.support.local_plan import LocalPlan, LocalPlanTest

STEPS = 100


def settings(codec):
    return ["--set=runs.teacher.training.steps=60",
            "--set=runs.distilled.training.steps=%d" % STEPS,
            "--set=runs.distilled.training.checkpoint_every_steps=10",
            "--set=runs.distilled.labels.codecs=[%s]" % codec]


class HiddenLabelsTest(LocalPlanTest):

    @classmethod
    def setUpClass(cls):
        cls.undisturbed = LocalPlan("undisturbed")
        cls.addClassCleanup(cls.undisturbed.close)
        code = cls.undisturbed.run(*settings("hidden_fp32")).wait()
        if code != 0:
            raise AssertionError("exit code %d\n%s" % (code, cls.undisturbed.story()))

    def test_its_losses_are_those_of_dense_labels_up_to_rounding(self):
        plan = self.plan("dense").run(*settings("dense_fp32"))
        self.assert_ends_with(plan, 0)
        self.assertEqual(plan.digests()["teacher"], self.undisturbed.digests()["teacher"])
        dense, hidden = plan.steps(), self.undisturbed.steps()
        self.assertEqual(len(dense), STEPS)
        self.assertEqual(len(hidden), STEPS)
        # Training carries the rounding of the first steps on.
        for steps, places in ((10, 1e-5), (STEPS, 1e-2)):
            for one, other in zip(dense[:steps], hidden[:steps]):
                self.assertAlmostEqual(one["loss"], other["loss"], delta=places * one["loss"])
                self.assertAlmostEqual(one["soft"], other["soft"], delta=places * one["soft"])

    def test_a_killed_and_resumed_run_has_the_same_weights(self):
        plan = self.plan("student").run(*settings("hidden_fp32"))
        plan.wait_for_step(30)
        plan.signal("student-1", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        self.assertLess(len(plan.steps()), STEPS)
        self.assert_ends_with(plan.resume(), 0)
        self.assert_same_weights(plan)


if __name__ == "__main__":
    unittest.main()
