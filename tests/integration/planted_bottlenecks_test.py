"""What a plan is sure to wait for is planted, and its verdicts name it."""

import collections
import json
import os
import random
import struct
import unittest

from tests.support.local_plan import PlanTest
from tests.support.slow_link import SlowLink

DONE = 0
CLASSES = 64
BATCH = 64
STEP_BYTES = 4 * CLASSES * BATCH  # the labels of a step, dense_fp32

# Each case is planted three times over what decides it (student_worker/accounting/verdict.h), as
# others may use the machine too. A student's step is about 30 ms of work; its labels are 16 KiB.
STUDENT = [2048, 2048]
# A second for the labels of a step, and half of one for an ask's way there and back.
THIN = {"bytes_per_second": STEP_BYTES}
LONG = {"latency": 0.25}
SURE_WAIT_SHARE = 0.3  # three times kMinWaitShare

DATA_SETS = """\
name: planted
seed: 3
data_sets:
  - name: rows
    npy: &rows
      train_examples: {path: rows.npy}
      train_labels: {path: rows-classes.npy}
      test_examples: {path: rows.npy}
      test_labels: {path: rows-classes.npy}
    classes: %d
    validation_examples: 64
    scale: 255
  - name: pictures
    npy:
      train_examples: {path: pictures.npy}
      train_labels: {path: pictures-classes.npy}
      test_examples: {path: pictures.npy}
      test_labels: {path: pictures-classes.npy}
    classes: 4
    validation_examples: 16
    scale: 255
processes: {teacher_servers: 1, student_workers: 1}
runs:
""" % CLASSES

RUN = """\
  - name: %(name)s
    data_set: %(data_set)s
    model: {architecture: mlp, widths: %(widths)s}
    schedules:
      learning_rate: {pieces: [{begin_step: 0, end_step: 100, constant: {value: 0.01}}]}
    training: {steps: %(steps)d, global_batch_size: %(batch)d, checkpoint_every_steps: 1000}
"""

TAUGHT = """\
    teachers: [{role: teacher, run: %s}]
    objective: [{soft_kl: {teacher: teacher}}]
    labels: {codecs: [dense_fp32], window_steps: %d}
"""


def run(name, widths, steps, data_set="rows", batch=BATCH, more=""):
    return RUN % {"name": name, "data_set": data_set, "widths": widths, "steps": steps,
                  "batch": batch} + more


def taught_by(teacher, window_steps=4):
    return TAUGHT % (teacher, window_steps)


def npy(descr, dims, raw):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (
        descr, "".join("%d, " % dim for dim in dims))
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117).encode() + b"\n" + raw)


def write_data(folder, name, dims, classes, seed=3):
    """Noise: nobody learns from it, and nobody has to."""
    values = 1
    for dim in dims:
        values *= dim
    for path, data in (
            (name, npy("|u1", dims, random.Random(seed).randbytes(values))),
            (name + "-classes", npy("<i4", dims[:1], struct.pack(
                "<%di" % dims[0], *(i % classes for i in range(dims[0])))))):
        with open(os.path.join(folder, path + ".npy"), "wb") as file:
            file.write(data)


class PlantedBottlenecksTest(PlanTest):

    def start(self, name, runs, **options):
        plan = self.plan(name, **options)
        folder = os.path.dirname(plan.path)
        write_data(folder, "rows", (1024, 64), CLASSES)
        write_data(folder, "pictures", (144, 256, 256), 4)
        config = os.path.join(folder, "plan.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(DATA_SETS + "".join(runs))
        return plan.run(config=config)

    def verdicts(self, plan):
        """By run, once it is done."""
        self.assert_ends_with(plan, DONE)
        with open(os.path.join(plan.path, "report.json"), encoding="utf-8") as file:
            models = json.load(file)["models"]
        return {run: model["verdict"] for run, model in models.items()}

    def through_link(self, name, steps, window_steps=4, **slowness):
        """The verdict of a run whose labels come by a link, and its share of waiting for them."""
        plan = None
        link = SlowLink(lambda: plan.processes()["teacher-0"]["address"], **slowness)
        self.addCleanup(link.close)
        plan = self.start(
            name,
            [run("teacher", [16], 1),
             run("student", STUDENT, steps, more=taught_by("teacher", window_steps))],
            teacher_flags=["--advertise", link.address])
        verdict = self.verdicts(plan)["student"]
        # It was the link that they came by.
        self.assertGreater(link.passed[1], steps * STEP_BYTES)
        self.assertIn("tells students " + link.address, plan.log("teacher-0"))
        shares = self.shares(plan, "student")
        print("%s: %s" % (name, verdict), shares)
        return verdict, shares["wait_teacher"]

    def shares(self, plan, run):
        """Of the wall time, by phase; those that have a name miss at most 3 % of it."""
        wall, phases = 0, collections.Counter()
        records = plan.steps(run)[1:]  # as the verdict: all but the first
        # A busy machine may interrupt one step, for longer than all others take to write their
        # records.
        records.remove(max(records, key=lambda record: record["other_seconds"]))
        for record in records:
            for field, seconds in record.items():
                if field == "wall_seconds":
                    wall += seconds
                elif field.endswith("_seconds"):
                    phases[field.removesuffix("_seconds")] += seconds
        self.assertGreater(wall, 0)
        named = sum(phases.values()) - phases["other"]
        self.assertLessEqual(abs(wall - named), 0.03 * wall, (run, wall, phases))
        return {phase: round(seconds / wall, 4) for phase, seconds in phases.items()}

    def test_a_thin_link_to_the_teacher_is_the_networks(self):
        verdict, wait = self.through_link("thin", 6, **THIN)
        self.assertRegex(verdict, "^network-bound: .* and %d in dense_fp32" % (4 * CLASSES))
        self.assertGreater(wait, SURE_WAIT_SHARE)

    def test_a_long_way_to_the_teacher_is_the_networks(self):
        verdict, wait = self.through_link("long", 8, window_steps=1, **LONG)
        self.assertRegex(verdict, "^network-bound: ")
        self.assertGreater(wait, SURE_WAIT_SHARE)

    def test_the_same_link_without_a_limit_leaves_the_students_own_work(self):
        # So many steps that one late answer does not count.
        verdict, _ = self.through_link("wide", 40)
        self.assertRegex(verdict, "^student-bound: .* labels come in time")

    def test_the_others_are_named_too(self):
        plan = self.start("others", [
            run("small", [16], 1),
            run("large", [4096, 4096], 1),
            run("input", [1], 40, data_set="pictures", batch=128, more=VIEW),
            run("student", STUDENT, 40, more=taught_by("small")),
            run("teacher", [16], 20, more=taught_by("large")),
        ])
        verdicts = self.verdicts(plan)
        for name in ("input", "student", "teacher"):
            with self.subTest(name):
                print(verdicts[name], self.shares(plan, name))
                self.assertRegex(verdicts[name], "^%s-bound: " % name)


VIEW = "    view: {horizontal_flip: true, max_shift_pixels: 2}\n"

if __name__ == "__main__":
    unittest.main()
