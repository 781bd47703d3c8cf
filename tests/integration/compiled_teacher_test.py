"""A teacher that AOTInductor compiled. That takes a PyTorch for Python, which is no part of this project:

    bazel test --test_env=TORCH_PYTHON=/path/to/venv/bin/python //tests/integration:compiled_teacher_test

names a Python with torch 2.11 and a C++ compiler on its path. Without it the test says so and checks nothing;
distillation/models:package_model_test loads a package of the same form that is made without it."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from tests.support.local_plan import SMALL, PlanTest, command

_TORCH_PYTHON = os.environ.get("TORCH_PYTHON", "")

_MODULE = """
import json, sys, torch
torch.manual_seed(3)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 16), torch.nn.ReLU(),
                          torch.nn.Linear(16, 10)).eval()
"""
_COMPILE = _MODULE + """
batch = torch.export.Dim("batch", min=1, max=4096)
program = torch.export.export(net, (torch.zeros(2, 28, 28),), dynamic_shapes=({0: batch},))
torch._inductor.aoti_compile_and_package(program, package_path=sys.argv[1])
"""
_COMPUTE = _MODULE + """
print(json.dumps(net(torch.tensor(json.load(sys.stdin)).reshape(-1, 28, 28)).flatten().tolist()))
"""

_RUNS = """
  - name: teacher
    data_set: fashion_mnist
    model: {aot_inductor: {file: net.pt2}}
    export_only: true
  - name: distilled
    data_set: fashion_mnist
    model: {architecture: mlp, widths: [16]}
    teachers: [{role: teacher, run: teacher}]
    objective: [{soft_kl: {teacher: teacher}}]
    schedules: {learning_rate: {pieces: [{constant: {value: 0.1}}]}, soft_weight: {pieces: [{constant: {value: 1}}]}}
    training: {steps: 60, global_batch_size: 128}
"""


def _floats(path, name):
    """A float32 tensor of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<Q", data[:8])
    begin, end = json.loads(data[8:8 + size])[name]["data_offsets"]
    return list(struct.unpack("<%df" % ((end - begin) // 4), data[8 + size + begin:8 + size + end]))


class CompiledTeacherTest(PlanTest):

    def torch(self, script, *arguments, given=""):
        # TMPDIR is the test's own: the compiler's cache goes there.
        done = subprocess.run([_TORCH_PYTHON, "-c", script, *arguments], input=given, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipUnless(_TORCH_PYTHON, "TORCH_PYTHON names no Python with PyTorch")
    def test_a_compiled_package_teaches_what_it_computes_in_python(self):
        folder = tempfile.mkdtemp(prefix="distill-compiled-")
        self.addCleanup(shutil.rmtree, folder, True)
        models = os.path.join(folder, "models")
        os.mkdir(models)
        self.torch(_COMPILE, os.path.join(models, "net.pt2"))
        code, _, err = command("model", "manifest", models)
        self.assertEqual(code, 0, err)
        with open(SMALL, encoding="utf-8") as file:
            text = file.read()
        config = os.path.join(folder, "plan.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text[:text.index("runs:")] + "runs:" + _RUNS)
        plan = self.plan("compiled").run("--model-dir", models, "--allow-executable-models",
                                         config=config)
        self.assert_ends_with(plan, 0)

        check = os.path.join(plan.path, "teacher/export/check.safetensors")
        expected = json.loads(self.torch(_COMPUTE, given=json.dumps(_floats(check, "examples"))))
        logits = _floats(check, "logits")
        self.assertEqual(len(logits), 64 * 10)
        for ours, theirs in zip(logits, expected):
            self.assertAlmostEqual(ours, theirs, 5)
        losses = [record["soft"] for record in plan.steps()]
        self.assertLess(sum(losses[-10:]), sum(losses[:10]) / 2)


if __name__ == "__main__":
    if not _TORCH_PYTHON:
        print("skipped: TORCH_PYTHON names no Python with PyTorch", file=sys.stderr)
    unittest.main()
