"""The answers recorded with a teacher are asked while it serves, and one whose answers are others
is never served, and named."""

import json
import os
import signal
import struct
import sys
import unittest

from tests.support.local_plan import LocalPlan, wait_until


def damage(path):
    """Adds 1 to the first recorded logit of example 0."""
    with open(path, "r+b") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        at = 8 + length + json.loads(file.read(length))["logits"]["data_offsets"][0]
        file.seek(at)
        logit = struct.unpack("<f", file.read(4))[0]
        file.seek(at)
        file.write(struct.pack("<f", logit + 1))


class DamagedExportTest(unittest.TestCase):

    def test_canaries_are_asked_while_it_serves_and_a_damaged_teacher_is_never_ready(self):
        # Bazel ends a test that is late with SIGTERM: clean up then too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        plan = LocalPlan("damaged")
        self.addCleanup(plan.close)
        plan.run("--set", "serving.canary_interval_seconds=0.05")
        plan.wait_for_step(30)

        def asked():
            return plan.metrics("teacher-0")["distill_teacher_canaries_total"] >= 5
        wait_until("canaries of teacher-0", asked)
        plan.signal("student-1", signal.SIGKILL)
        self.assertEqual(plan.wait(), 1, plan.story())
        self.assertNotIn("FAILED", plan.log("teacher-0"))

        damage(os.path.join(plan.path, "teacher", "export", "check.safetensors"))
        # Of a plan whose data is damaged.
        self.assertEqual(plan.resume().wait(), 7, plan.story())
        self.assertRegex(
            plan.output(),
            r'teacher server "teacher-\d" cannot serve "teacher": canary: example 0 of fingerprint')
        for name in ("teacher-0", "teacher-1"):
            self.assertIn("FAILED teacher: canary: example 0", plan.log(name))


if __name__ == "__main__":
    unittest.main()
