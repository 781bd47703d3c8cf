"""`distillctl run` on examples/small.yaml with labels that name a few of the ten classes."""

import math
import signal
import unittest

from tests.support.local_plan import LocalPlan, LocalPlanTest, command

STEPS = 100


def settings(codec):
    return ["--set=runs.teacher.training.steps=60",
            "--set=runs.distilled.training.steps=%d" % STEPS,
            "--set=runs.distilled.training.checkpoint_every_steps=10",
            "--set=runs.distilled.labels.codecs=[%s]" % codec]


class SparseLabelsTest(LocalPlanTest):

    @classmethod
    def setUpClass(cls):
        cls.undisturbed = LocalPlan("undisturbed")
        cls.addClassCleanup(cls.undisturbed.close)
        code = cls.undisturbed.run(*settings("top_k/5")).wait()
        if code != 0:
            raise AssertionError("exit code %d\n%s" % (code, cls.undisturbed.story()))

    def soft_losses(self, plan):
        return [record["soft"] for record in plan.steps()]

    def test_a_run_learns_from_the_head_and_the_bucket_of_the_rest(self):
        losses = self.soft_losses(self.undisturbed)
        self.assertEqual(len(losses), STEPS)
        self.assertTrue(all(math.isfinite(loss) and loss >= 0 for loss in losses), losses)
        self.assertLess(sum(losses[-10:]), sum(losses[:10]) / 2, losses)

    def test_a_killed_and_resumed_run_has_the_same_weights(self):
        plan = self.plan("student").run(*settings("top_k/5"))
        plan.wait_for_step(30)
        plan.signal("student-1", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        self.assertLess(len(plan.steps()), STEPS)
        self.assert_ends_with(plan.resume(), 0)
        self.assert_same_weights(plan)

    def test_with_all_classes_in_the_head_it_is_the_dense_run_bit_for_bit(self):
        digests = []
        for codec in ("top_k/16", "dense_fp32"):
            plan = self.plan(codec.replace("/", "-")).run(*settings(codec))
            self.assert_ends_with(plan, 0)
            digests.append(plan.digests())
        self.assertEqual(digests[0], digests[1])
        # The head of five is another loss.
        self.assertNotEqual(digests[0]["distilled"], self.undisturbed.digests()["distilled"])
        self.assertEqual(digests[0]["teacher"], self.undisturbed.digests()["teacher"])

    def test_a_codec_that_the_temperatures_do_not_suit_is_refused_before_anything_starts(self):
        plan = LocalPlan("refused")
        self.addCleanup(plan.close)
        code, _, err = command("run", "examples/small.yaml", "--run-dir", plan.path,
                               *settings("sampled"))
        self.assertNotEqual(code, 0)
        self.assertIn("codecs", err)
        self.assertIn("take top_k", err)


if __name__ == "__main__":
    unittest.main()
