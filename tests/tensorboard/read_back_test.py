"""The event files of runs, read by TensorBoard itself."""

import glob
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["TEST_SRCDIR"], "tensorboard", "site"))

from tensorboard.backend.event_processing import plugin_event_multiplexer  # noqa: E402
from tensorboard.util import tensor_util  # noqa: E402
from tests.support import local_plan  # noqa: E402

STEPS = {"teacher": 200, "distilled": 250}
SCHEDULES = ("temperature", "hard_weight", "soft_weight", "learning_rate")
SPEEDS = ("speed/examples_per_second", "speed/seconds_per_step", "speed/waiting_for_teacher_share")


def read(plan):
    """By run and tag: (step, value) of each point that TensorBoard would show."""
    # As TensorBoard's server reads them, but with no point left out.
    events = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0})
    events.AddRunsFromDirectory(plan.path)
    events.Reload()
    return {
        run: {
            tag: [(point.step, float(tensor_util.make_ndarray(point.tensor_proto)))
                  for point in events.Tensors(run, tag)]
            for tag in kinds["tensors"]
        }
        for run, kinds in events.Runs().items()
    }


class ReadBack(local_plan.LocalPlanTest):

    def assert_curves_are_those_of_the_records(self, plan):
        curves = read(plan)
        self.assertEqual(set(curves), set(STEPS), plan.story())
        for run, steps in STEPS.items():
            records = plan.steps(run)
            of_run = curves[run]
            # Whatever the checkpoints were, the last point is the end.
            at = [step for step, _ in of_run["loss/total"]]
            self.assertEqual(at[-1], steps)
            self.assertEqual(at, sorted(set(at)))
            self.assertLessEqual(set(range(10, steps + 1, 10)), set(at))
            for tag in SPEEDS:
                self.assertEqual([step for step, _ in of_run[tag]], at, tag)
            for name in SCHEDULES:
                for step, value in of_run["schedule/" + name]:
                    self.assertAlmostEqual(value, records[step - 1][name], 5, (run, name, step))
            self.assert_means(of_run["loss/total"], records, "loss")
            terms = {tag for tag in of_run if tag.startswith("loss/")} - {"loss/total"}
            self.assertTrue(terms)
            for tag in terms:
                self.assert_means(of_run[tag], records, tag[len("loss/"):])
            evaluations = of_run["eval/validation_accuracy"]
            self.assertEqual(evaluations[-1][0], steps)
            self.assertGreater(evaluations[-1][1], 0.3)

    def assert_means(self, points, records, field):
        before = 0
        for step, value in points:
            values = [record[field] for record in records[before:step] if field in record]
            self.assertAlmostEqual(value, sum(values) / len(values), 4, (field, step))
            before = step

    def test_tensorboard_reads_the_curves_of_the_records(self):
        self.assert_curves_are_those_of_the_records(self.undisturbed)

    def test_a_killed_and_resumed_run_has_each_point_once(self):
        plan = self.plan("killed")
        plan.run().wait_for_step(90)
        plan.signal("student-0", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        plan.resume()
        self.assert_ends_with(plan, 0)
        self.assertEqual(len(glob.glob(os.path.join(plan.path, "distilled", "*tfevents*"))), 2)
        self.assert_curves_are_those_of_the_records(plan)


if __name__ == "__main__":
    unittest.main()
