"""The examples that no other test runs, as a user runs them, with fewer steps."""

import json
import os
import shutil
import subprocess
import sys
import unittest

from tests.support.local_plan import LocalPlanTest


class ExamplesTest(LocalPlanTest):

    @classmethod
    def setUpClass(cls):
        pass  # each test has a plan of its own

    def accuracies(self, plan):
        with open(os.path.join(plan.path, "report.json"), encoding="utf-8") as file:
            models = json.load(file)["models"]
        return {run: model["test_accuracy"] for run, model in models.items()}

    def test_a_student_learns_from_two_teachers_at_once(self):
        plan = self.plan("two_teachers")
        plan.run("--set=runs.wide.training.steps=80", "--set=runs.conv.training.steps=80",
                 "--set=runs.student.training.steps=120",
                 config=os.path.abspath("examples/two_teachers.yaml"))
        self.assert_ends_with(plan, 0)
        records = plan.steps("student")
        self.assertEqual(len(records), 120)
        for term in ("from_wide", "from_conv"):
            losses = [record[term] for record in records]
            self.assertLess(sum(losses[-10:]), sum(losses[:10]) / 2, (term, losses))
        # The loss has both, at half the soft weight each; a step may lack a labelled example.
        for record in records:
            expected = (0.45 * record["from_wide"] + 0.45 * record["from_conv"]
                        + 0.1 * record.get("hard", 0))
            self.assertAlmostEqual(record["loss"], expected, 4)
        self.assertGreater(self.accuracies(plan)["student"], 0.6)

    def test_the_tabular_example_trains_on_the_files_that_its_script_makes(self):
        plan = self.plan("run")
        folder = os.path.dirname(plan.path)
        shutil.copy("examples/tabular.yaml", folder)
        subprocess.run([sys.executable, "examples/make_tabular.py", os.path.join(folder, "tabular")],
                       check=True)
        plan.run(*("--set=runs.%s.training.steps=300" % run for run in
                   ("teacher", "alone", "distilled")), config=os.path.join(folder, "tabular.yaml"))
        self.assert_ends_with(plan, 0)
        accuracy = self.accuracies(plan)
        self.assertGreater(accuracy["teacher"], 0.8)
        self.assertGreater(accuracy["distilled"], accuracy["alone"])


if __name__ == "__main__":
    unittest.main()
