"""Teachers and students from files: TorchScript modules in a model directory, as a user runs them."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.support.local_plan import SMALL, PlanTest, command

DONE, RUN_FAILED, CONFIGURATION, REFUSED = 0, 1, 3, 5

# A teacher that is trained from the values of its file.
TRAINED = """
  - name: teacher
    data_set: fashion_mnist
    model: {torch_script: {file: mlp.pt}}
    schedules: {learning_rate: {pieces: [{constant: {value: 0.1}}]}}
    training: {steps: 100, global_batch_size: 128, world_size: 2}
"""
# That teacher as it is, and a student of it.
DISTILLED = """
  - name: teacher
    data_set: fashion_mnist
    model: {torch_script: {file: trained/teacher.pt}}
    export_only: true
  - name: distilled
    data_set: fashion_mnist
    model: {torch_script: {file: conv_net.pt, example_dims: [1, 28, 28]}}
    teachers: [{role: teacher, run: teacher}]
    objective: [{hard_cross_entropy: {}}, {soft_kl: {teacher: teacher}}]
    schedules: {learning_rate: {pieces: [{constant: {value: 0.1}}]}}
    training: {steps: 120, global_batch_size: 128, world_size: 2, checkpoint_every_steps: 20}
    labels: {exact: true}
processes: {teacher_servers: 2}
"""


class ModelFilesTest(PlanTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="distill-models-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.models = os.path.join(cls.folder, "models")
        cls.flags = ("--model-dir", cls.models, "--allow-executable-models")
        subprocess.run(["tests/support/write_script_modules", cls.models], check=True)
        cls.write_manifest()

    @classmethod
    def write_manifest(cls):
        code, out, err = command("model", "manifest", cls.models)
        if code != DONE:
            raise AssertionError("model manifest: exit code %d: %s" % (code, err))
        return out

    def config(self, runs):
        """A plan with these runs on the data of small.yaml."""
        with open(SMALL, encoding="utf-8") as file:
            text = file.read()
        path = os.path.join(self.folder, self.id() + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text[:text.index("runs:")] + "runs:" + runs)
        return path

    def report(self, plan):
        with open(os.path.join(plan.path, "report.json"), encoding="utf-8") as file:
            return json.load(file)["models"]

    def test_a_trained_module_teaches_another_and_a_killed_student_ends_with_the_same_weights(self):
        first = self.plan("trained").run(*self.flags, config=self.config(TRAINED))
        self.assert_ends_with(first, DONE)
        trained = self.report(first)["teacher"]
        self.assertGreater(trained["test_accuracy"], 0.6)
        self.assertEqual(trained["parameters"], 784 * 32 + 32 + 32 * 10 + 10)

        # What was trained stands in the export as a module of its own.
        os.mkdir(os.path.join(self.models, "trained"))
        shutil.copy(os.path.join(first.path, "teacher/export/model.pt"),
                    os.path.join(self.models, "trained/teacher.pt"))
        self.assertIn("  trained/teacher.pt\n", self.write_manifest())
        config = self.config(DISTILLED)
        undisturbed = self.plan("undisturbed").run(*self.flags, config=config)
        self.assert_ends_with(undisturbed, DONE)
        models = self.report(undisturbed)
        self.assertEqual(models["teacher"]["test_accuracy"], trained["test_accuracy"])
        self.assertEqual(models["teacher"]["steps"], 0)
        self.assertEqual(undisturbed.digests()["teacher"], first.digests()["teacher"])
        losses = [record["soft"] for record in undisturbed.steps()]
        self.assertEqual(len(losses), 120)
        self.assertLess(sum(losses[-20:]), 0.8 * sum(losses[:20]))
        for process in ("student-0", "teacher-0"):
            self.assertIn("loads the program %s/trained/teacher.pt" % os.path.realpath(self.models),
                          undisturbed.log(process))

        killed = self.plan("killed").run(*self.flags, config=config)
        killed.wait_for_step(70)
        killed.signal("student-1", signal.SIGKILL)
        self.assert_ends_with(killed, RUN_FAILED)
        code, _, err = command("resume", killed.path)
        self.assertEqual(code, REFUSED, err)
        self.assertIn("--allow-executable-models", err)
        self.assertIn("[DST-2601]", err)
        self.assert_ends_with(killed.resume(*self.flags), DONE)
        self.assertEqual(killed.digests(), undisturbed.digests())

    def test_nothing_is_started_unless_programs_are_allowed(self):
        plan = self.plan("refused").run("--model-dir", self.models, config=self.config(TRAINED))
        self.assert_ends_with(plan, REFUSED)
        self.assertIn("add --model-dir DIR --allow-executable-models [DST-2601]", plan.output())
        self.assertFalse(os.path.exists(plan.path))

    def test_a_module_that_does_not_fit_or_is_not_listed_fails_at_the_start_with_what_to_do(self):
        for what, change in (("must be Float [3,12]", "--set=data_sets.fashion_mnist.classes=12"),
                             ("example_dims [3] are 3 values",
                              "--set=runs.teacher.model.torch_script.example_dims=[3]"),
                             ("not a path below the model directory",
                              "--set=runs.teacher.model.torch_script.file=../models/mlp.pt"),
                             ("manifest %s [DST-2602]" % self.models,
                              "--set=runs.teacher.model.torch_script.file=new.pt")):
            shutil.copy(os.path.join(self.models, "mlp.pt"), os.path.join(self.models, "new.pt"))
            plan = self.plan("unfit").run(*self.flags, change, config=self.config(TRAINED))
            self.assert_ends_with(plan, CONFIGURATION)
            self.assertIn(what, plan.output())
            self.assertEqual(plan.steps("teacher"), [])


if __name__ == "__main__":
    unittest.main()
