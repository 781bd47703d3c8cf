"""Record once, train many: runs that read a label set, with and without what they should have."""

import os
import shutil
import signal
import tempfile
import unittest

from tests.support.local_plan import SMALL, LocalPlanTest, command

DONE, CONFIGURATION, UNREACHABLE, REFUSED, DATA = 0, 3, 4, 5, 7


class RecordedLabelsTest(LocalPlanTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="distill-recorded-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.set = os.path.join(cls.folder, "set")
        # Blocks of as many rows as a rank asks for: the same inference batches.
        code, _, err = cls.label(cls.set, "--block-rows=128")
        if code != DONE:
            raise AssertionError("label: exit code %d: %s" % (code, err))

    @classmethod
    def label(cls, out, *more, run_dir=None):
        return command("label", SMALL, "--run", "distilled", "--run-dir",
                       run_dir or cls.undisturbed.path, "--out", out, *more)

    @classmethod
    def student_alone(cls, labels):
        """A plan with the distilled run alone, whose teacher's labels lie there."""
        with open(SMALL, encoding="utf-8") as file:
            text = file.read()
        teacher, distilled = text.index("  - name: teacher"), text.index("  - name: distilled")
        path = os.path.join(cls.folder, "alone-%s.yaml" % os.path.basename(labels))
        with open(path, "w", encoding="utf-8") as file:
            file.write((text[:teacher] + text[distilled:]).replace(
                "run: teacher", "recorded_labels: " + labels))
        return path

    def recorded(self, name, *settings, labels="set"):
        """That plan; `labels` are named as seen from its file."""
        return self.plan(name).run(*settings, config=self.student_alone(labels))

    def assert_same_student(self, plan):
        self.assert_ends_with(plan, DONE)
        for rank in (0, 1):
            self.assertEqual([record["step"] for record in plan.steps(rank=rank)], list(range(250)))
        self.assertEqual(plan.digests()["distilled"], self.undisturbed.digests()["distilled"])

    def test_a_run_from_exact_labels_has_the_weights_of_the_live_run_and_starts_no_teacher(self):
        plan = self.recorded("recorded")
        self.assert_same_student(plan)
        self.assertEqual([name for name in os.listdir(os.path.join(plan.path, "logs"))
                          if name.startswith("teacher")], [])
        self.assertIn("recorded=250", plan.log("student-0"))

    def test_killed_and_resumed_it_has_the_same_weights(self):
        plan = self.recorded("resumed")
        plan.wait_for_step(110)
        plan.signal("student-1", signal.SIGKILL)
        self.assert_ends_with(plan, 1)
        plan.resume()
        self.assert_same_student(plan)

    def test_one_teacher_live_and_one_recorded_in_one_run_in_views_that_change_every_epoch(self):
        views = ["--set", "runs.distilled.view={horizontal_flip: true, views_per_example: 2}"]
        flipped = os.path.join(self.folder, "flipped")
        code, _, err = self.label(flipped, "--block-rows=128", *views)
        self.assertEqual(code, DONE, err)
        self.assertIn("2 views of each", err)
        # Epochs of two steps.
        plan = self.plan("mixed").run(
            *views, "--set", "runs.distilled.train_on=LABELLED",
            "--set", "runs.distilled.objective=[{hard_cross_entropy: {}}, {soft_kl: {teacher: teacher}}, "
            "{name: again, soft_kl: {teacher: live}}]", "--set", "runs.distilled.training.steps=40",
            "--set", "runs.distilled.teachers=[{role: live, run: teacher}, "
            "{role: teacher, run: teacher, recorded_labels: %s}]" % flipped)
        self.assert_ends_with(plan, DONE)
        self.assertEqual(len(plan.steps()), 40)
        for record in plan.steps():
            self.assertEqual(record["soft"], record["again"], record["step"])

    def test_a_run_is_refused_what_is_not_its_set(self):
        for name, settings, labels, code, part in (
                ("data", ["--set", "data_sets.fashion_mnist.mean=0.5"], "set", CONFIGURATION,
                 "data set digest"),
                ("view", ["--set", "runs.distilled.view={horizontal_flip: true, views_per_example: 2}"],
                 "set", CONFIGURATION, "view spec digest"),
                ("none", [], "nowhere", DATA, "distillctl label")):
            plan = self.recorded(name, *settings, labels=labels)
            self.assert_ends_with(plan, code)
            self.assertIn(part, plan.output())

    def test_a_run_is_refused_a_damaged_set_and_the_set_of_another_teacher(self):
        damaged = os.path.join(self.folder, "damaged")
        shutil.copytree(self.set, damaged)
        path = os.path.join(damaged, "blocks-00002.labels")
        os.truncate(path, os.path.getsize(path) - 1)
        plan = self.recorded("damaged", labels="damaged")
        self.assert_ends_with(plan, DATA)
        self.assertIn("blocks-00002.labels", plan.output())
        # Trained for fewer steps, so another one than the set's.
        other = self.plan("other").run(
            "--set", "runs.teacher.training.steps=20", "--set", "runs.distilled.teachers="
            "[{role: teacher, run: teacher, recorded_labels: %s}]" % self.set)
        self.assert_ends_with(other, CONFIGURATION)
        self.assertIn("teacher fingerprint", other.output())
        # Its teacher is trained; recording it into the former one's set is refused too.
        code, _, err = self.label(self.set, "--block-rows=128", run_dir=other.path)
        self.assertEqual(code, REFUSED, err)
        self.assertIn("teacher fingerprint", err)

    def test_a_recording_that_cannot_be_is_refused_before_anything_starts(self):
        out = os.path.join(self.folder, "refused")
        for more, code, part in (
                (["--set", "runs.distilled.view={horizontal_flip: true}"], REFUSED,
                 "views_per_example"),
                (["--role", "tutor"], CONFIGURATION, "no teacher in the role 'tutor'"),
                (["--block-rows", "1000"], CONFIGURATION, "serving.max_batch_examples"),
                (["--set", "data_sets.fashion_mnist.classes=11"], REFUSED, "classes"),
                (["--teachers", "127.0.0.1:1", "--set",
                  "runs.distilled.labels={request_timeout_seconds: 1}"], UNREACHABLE,
                 "no teacher server is left")):
            result, _, err = self.label(out, *more)
            self.assertEqual(result, code, err)
            self.assertIn(part, err)
        code, _, err = self.label(out, run_dir="/none")
        self.assertEqual(code, DATA, err)
        self.assertIn("train the teacher first", err)
        self.assertFalse(os.path.exists(out))

    def test_a_folder_of_something_else_is_refused_before_any_teacher_is_asked(self):
        for more in (["--dry-run"], ["--teachers", "127.0.0.1:1"]):
            code, _, err = self.label(self.undisturbed.path, *more)
            self.assertEqual(code, REFUSED, err)
            self.assertIn("DST-2206", err)


if __name__ == "__main__":
    unittest.main()
