"""`distillctl label`, killed, stopped and left by teacher servers in the middle: the set is the same."""

import os
import random
import shutil
import signal
import subprocess
import unittest

from tests.support.local_plan import DISTILLCTL, SMALL, LocalPlanTest, wait_until

KILLS = 10
PREEMPTED = 6
PARTS = 58  # 59,000 rows in blocks of 16, 64 of them a part


def parts(folder):
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if name.endswith(".labels"))


def contents(folder):
    files = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            files[name] = file.read()
    return files


def pids_with(path, program):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(program) and any(path.encode() in word for word in words):
            found.append(int(pid))
    return found


class KilledRecordingTest(LocalPlanTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = os.path.dirname(cls.undisturbed.path)
        recording = cls.record("undisturbed-set")
        if recording.wait(120) != 0:
            raise AssertionError("label: exit code %d" % recording.returncode)
        cls.expected = contents(cls.set_path("undisturbed-set"))

    @classmethod
    def set_path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def record(cls, name):
        """Starts a recording into a folder of that name."""
        with open(cls.set_path(name) + ".output", "ab") as output:
            process = subprocess.Popen(
                [DISTILLCTL, "label", SMALL, "--run", "distilled", "--run-dir",
                 cls.undisturbed.path, "--out", cls.set_path(name), "--block-rows", "16",
                 "--teacher-servers", "2"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        cls.addClassCleanup(process.kill)
        return process

    def output(self, name):
        with open(self.set_path(name) + ".output", encoding="utf-8") as file:
            return file.read()

    def wait_for_parts(self, recording, name, count):
        def reached():
            if recording.poll() is not None:
                raise AssertionError("ended with %d parts and exit code %d\n%s" % (
                    len(parts(self.set_path(name))), recording.returncode, self.output(name)))
            return len(parts(self.set_path(name))) >= count
        wait_until("%d parts of %s" % (count, name), reached)

    def assert_finished(self, recording, name):
        self.assertEqual(recording.wait(120), 0, self.output(name))
        self.assertEqual(set(contents(self.set_path(name))), set(self.expected))
        self.assertTrue(contents(self.set_path(name)) == self.expected, "the files differ")

    def test_killed_ten_times_at_random_the_set_is_byte_for_byte_the_same(self):
        seed = int(os.environ.get("DISTILL_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print("DISTILL_TEST_SEED=%d" % seed)
        rng = random.Random(seed)
        self.assertEqual(len([name for name in self.expected if name.endswith(".labels")]), PARTS)
        for _ in range(KILLS):
            recording = self.record("killed")
            self.wait_for_parts(recording, "killed", len(parts(self.set_path("killed"))) + rng.randrange(4))
            try:
                recording.wait(rng.random() / 10)
                self.fail("the recording was too fast to be killed")
            except subprocess.TimeoutExpired:
                recording.kill()
            recording.wait()
            self.assertNotIn("manifest.labelset", os.listdir(self.folder + "/killed")
                             if os.path.isdir(self.folder + "/killed") else [])
            # They die with distillctl.
            wait_until("the end of its teacher servers",
                       lambda: not pids_with(self.set_path("killed"), b"teacher_server"))
        kept = len(parts(self.set_path("killed")))
        self.assertGreater(kept, 0)
        self.assertLess(kept, PARTS)
        self.assert_finished(self.record("killed"), "killed")

    def test_told_to_stop_it_says_how_to_go_on_and_goes_on(self):
        recording = self.record("stopped")
        self.wait_for_parts(recording, "stopped", 3)
        recording.send_signal(signal.SIGTERM)
        self.assertEqual(recording.wait(60), PREEMPTED, self.output("stopped"))
        self.assertIn("the same command goes on", self.output("stopped"))
        self.assertFalse(pids_with(self.set_path("stopped"), b"teacher_server"))
        self.assertLess(len(parts(self.set_path("stopped"))), PARTS)
        self.assert_finished(self.record("stopped"), "stopped")

    def test_without_one_of_its_teacher_servers_the_other_gives_the_rest(self):
        recording = self.record("left")
        self.wait_for_parts(recording, "left", 3)
        teachers = pids_with(self.set_path("left"), b"teacher_server")
        self.assertEqual(len(teachers), 2)
        os.kill(teachers[0], signal.SIGKILL)
        self.assert_finished(recording, "left")

    def test_a_damaged_part_of_a_finished_set_is_recorded_again(self):
        shutil.copytree(self.set_path("undisturbed-set"), self.set_path("damaged"))
        with open(os.path.join(self.set_path("damaged"), "blocks-00007.labels"), "r+b") as file:
            file.seek(2000)
            byte = file.read(1)
            file.seek(2000)
            file.write(bytes([byte[0] ^ 1]))
        self.assert_finished(self.record("damaged"), "damaged")
        self.assertIn("recorded   1024 rows", self.output("damaged"))


if __name__ == "__main__":
    unittest.main()
