"""Bad input is refused early, by name, with the documented exit code; nothing hangs or stays."""

import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from tests.bad_input import tiny_plan
from tests.bad_input.tiny_plan import write

DONE, FAILED, USAGE, CONFIGURATION, UNREACHABLE, REFUSED, DATA = 0, 1, 2, 3, 4, 5, 7
STOPPED, INTERRUPTED = 6, 130

# Steps that nobody waits for.
LONG = "--set=runs.{0}.training.steps=1000000"
LONG_RATE = ("--set=runs.{0}.schedules.learning_rate={{pieces: [{{begin_step: 0, "
             "end_step: 1000000, constant: {{value: 0.01}}}}]}}")


def long(run):
    return [LONG.format(run), LONG_RATE.format(run)]


class BadInput(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bad_input_")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(tiny_plan.kill_all, self.folder)
        tiny_plan.write_idx_set(self.folder, "tiny")
        self.plan = tiny_plan.write_plan(self.folder)
        self.run_dir = self.path("run")

    def path(self, name):
        return os.path.join(self.folder, name)

    def ctl(self, *args, seconds=40, **more):
        process = tiny_plan.start([tiny_plan.DISTILLCTL, *args], self.folder, **more)
        return tiny_plan.finish(process, self.folder, seconds)

    def run_plan(self, *args, **more):
        return self.ctl("run", self.plan, "--run-dir", self.run_dir, *args, **more)

    def start_long(self, run):
        """`run` of the plan goes on for as long as it is let, and has begun."""
        process = tiny_plan.start(
            [tiny_plan.DISTILLCTL, "run", self.plan, "--run-dir", self.run_dir, *long(run)],
            self.folder)
        self.addCleanup(process.kill)
        begun = self.path("run/%s/metrics.rank0.jsonl" % run)
        tiny_plan.wait_until(lambda: os.path.exists(begun), "run %s begins" % run)
        return process

    def assert_ends(self, result, code, *parts):
        """This exit code, the parts in the message that is the last thing said, and nothing
        left behind."""
        self.assertEqual(result.code, code, result)
        for part in parts:
            self.assertIn(part, result.message, result)
        self.assertNotIn("killed by SIG", result.message.replace("killed by SIGKILL", ""), result)
        self.assert_nothing_runs()

    def assert_nothing_runs(self):
        left = tiny_plan.processes_of(self.folder)
        self.assertEqual(left, [], "left behind")

    def refuse_plan(self, *args, parts=()):
        """Refused by `config validate` and by `run`, which then leaves no folder."""
        result = self.ctl("config", "validate", self.plan, *args)
        self.assert_ends(result, CONFIGURATION, *parts)
        result = self.run_plan(*args)
        self.assert_ends(result, CONFIGURATION, *parts)
        self.assertFalse(os.path.exists(self.run_dir))

    def change_plan(self, old, new):
        with open(self.plan) as file:
            text = file.read()
        self.assertIn(old, text)
        with open(self.plan, "w") as file:
            file.write(text.replace(old, new, 1))
        return text[:text.index(old)].count("\n") + 1


class Configurations(BadInput):

    def test_an_unknown_field_is_named_with_its_place_and_the_nearest_name(self):
        line = self.change_plan("training: &training {steps: 8", "training: &training {stepz: 8")
        self.refuse_plan(parts=["plan.yaml:%d:26: " % line, '"stepz"', "did you mean steps"])

    def test_an_ill_typed_field_is_named_with_its_place_and_value(self):
        line = self.change_plan("seed: 3", "seed: three")
        self.refuse_plan(parts=["plan.yaml:%d:" % line, "seed", '"three"', "number"])

    def test_several_problems_are_told_at_once(self):
        self.refuse_plan("--set=runs.teacher.training.steps=0", "--set=data_sets.tiny.classes=1",
                         "--set=runs.alone.data_set=mnist",
                         parts=["runs[0].training.steps", "data_sets[0].classes",
                                "there is no data set 'mnist'; known: tiny"])

    def test_an_unknown_architecture_is_told_with_the_known_ones(self):
        self.refuse_plan("--set=runs.teacher.model.architecture=vit",
                         parts=["runs[0].model", '"vit"', "conv_net", "mlp"])

    def test_a_temperature_that_is_not_positive_and_finite_is_refused(self):
        for value in ("0", "-1", ".nan", ".inf"):
            setting = ("--set=runs.distilled.schedules.temperature={pieces: [{begin_step: 0, "
                       "end_step: 8, constant: {value: %s}}]}" % value)
            with self.subTest(value):
                self.refuse_plan(setting, parts=["runs[2].schedules.temperature"])

    def test_a_weight_out_of_range_is_refused(self):
        setting = ("--set=runs.distilled.schedules.soft_weight={pieces: [{begin_step: 0, "
                   "end_step: 8, constant: {value: 1.5}}]}")
        self.refuse_plan(setting, parts=["runs[2].schedules.soft_weight", "1.5"])

    def test_a_world_that_does_not_divide_the_batch_is_refused(self):
        self.refuse_plan("--set=runs.alone.training.world_size=3",
                         parts=["runs[1].training.global_batch_size", "20", "3 ranks"])

    def test_runs_that_wait_for_one_another_are_named(self):
        self.refuse_plan(
            "--set=runs.teacher.teachers=[{role: t, run: distilled}]",
            "--set=runs.teacher.objective=[{name: soft, soft_kl: {teacher: t}}]",
            parts=["these runs wait for one another as teachers: distilled, teacher"])

    def test_a_batch_that_no_teacher_server_takes_is_refused(self):
        self.refuse_plan("--set=serving.max_batch_examples=19",
                         parts=["runs[2].training.global_batch_size", "20 examples", "19",
                                "serving.max_batch_examples"])

    def test_a_teacher_of_other_classes_is_refused(self):
        tiny_plan.write_idx_set(self.folder, "other")
        self.plan = tiny_plan.write_plan(self.folder, ("tiny", "other"))
        self.refuse_plan("--set=data_sets.other.classes=5", "--set=runs.distilled.data_set=other",
                         parts=["runs[2].teachers[0].run", "4 classes", "5"])

    def test_text_that_is_no_plan_is_refused(self):
        for name, text in (("list", b"- 1\n"), ("open", b"name: {\n"), ("bytes", bytes(range(256))),
                           ("empty", b""), ("deep", b"[" * 100000)):
            with self.subTest(name):
                write(self.plan, text)
                self.refuse_plan(parts=["plan.yaml:"])

    def test_zero_teacher_servers_mean_the_one_that_the_plan_needs(self):
        shown = self.ctl("config", "show", self.plan, "--set=processes.teacher_servers=0")
        self.assertIn("teacher_servers: 1", shown.out)


class CommandLines(BadInput):

    def test_a_missing_plan_is_named(self):
        result = self.ctl("run", "none.yaml", "--run-dir", self.run_dir)
        self.assert_ends(result, CONFIGURATION, "none.yaml", "No such file", "check the path")

    def test_a_run_directory_in_use_is_refused(self):
        os.mkdir(self.run_dir)
        write(self.path("run/thesis.txt"), b"precious")
        result = self.run_plan()
        self.assert_ends(result, REFUSED, self.run_dir, "not empty", "distillctl resume",
                         "--run-dir")
        self.assertEqual(os.listdir(self.run_dir), ["thesis.txt"])

    def test_a_folder_without_a_plan_cannot_be_resumed(self):
        self.assert_ends(self.ctl("resume", self.folder), DATA, self.folder, "holds no plan",
                         "distillctl run")

    def test_a_run_directory_that_cannot_be_made_is_named(self):
        write(self.path("file"), b"")
        result = self.ctl("run", self.plan, "--run-dir", self.path("file/run"))
        self.assertNotIn(result.code, (DONE, FAILED), result)
        self.assert_ends(result, result.code, "file/run")

    def test_nothing_is_said_of_or_done_to_what_does_not_run(self):
        self.assert_ends(self.ctl("stop", self.folder), DATA, "holds no plan")
        self.assert_ends(self.ctl("status", self.folder), DATA, "holds no plan")

    def test_an_unknown_command_or_flag_is_named(self):
        self.assert_ends(self.ctl("frobnicate"), USAGE, "'frobnicate'", "--help")
        self.assert_ends(self.ctl("stats", "x"), USAGE, "'stats'", "Did you mean 'status'?")
        self.assert_ends(self.ctl("run", self.plan, "--rundir=x"), USAGE, "'--rundir'",
                         "'--run-dir'")
        self.assert_ends(self.ctl("run"), USAGE, "config is required")
        self.assert_ends(self.ctl(), USAGE, "--help")


class Data(BadInput):

    def refuse_data(self, code, *parts, args=()):
        """Refused by `run` before anything is made, with and without `--dry-run`."""
        for dry in ((), ("--dry-run",)):
            self.assert_ends(self.run_plan(*args, *dry), code, *parts)
            self.assertFalse(os.path.exists(self.run_dir))

    def test_a_missing_file_is_named(self):
        os.remove(self.path("tiny-test-y"))
        os.remove(self.path("tiny-train-x"))
        self.refuse_data(DATA, "data_sets[0].idx.test_labels", self.path("tiny-test-y"),
                         self.path("tiny-train-x"), "No such file")

    def test_a_truncated_file_is_named(self):
        with open(self.path("tiny-train-x"), "r+b") as file:
            file.truncate(500)
        self.refuse_data(DATA, self.path("tiny-train-x"), "truncated", "get the file anew")

    def test_what_takes_no_time_is_refused_before_a_file_is_read(self):
        write(self.path("tiny-train-y"), b"cat,dog\n")
        os.mkdir(self.run_dir)
        write(self.path("run/notes"), b"x")
        result = self.run_plan()
        self.assert_ends(result, REFUSED, "not empty")
        self.assertNotIn("tiny-train-y", result.err)

    def test_an_altered_file_is_named(self):
        self.refuse_data(DATA, self.path("tiny-train-x"), "altered", "0" * 64,
                         args=["--set=data_sets.tiny.idx.train_images.sha256=" + "0" * 64])

    def test_a_file_of_another_kind_is_named(self):
        write(self.path("tiny-train-y"), b"cat,dog\n")
        self.refuse_data(CONFIGURATION, self.path("tiny-train-y"), "not an IDX file")

    def test_labels_outside_the_classes_are_told_with_example_and_label(self):
        labels = [i % 4 for i in range(200)]
        labels[7] = 9
        write(self.path("tiny-train-y"), tiny_plan.idx([200], labels))
        self.refuse_data(CONFIGURATION, self.path("tiny-train-y"), "example 7", "label 9",
                         "4 classes")

    def test_a_teacher_of_another_shape_is_refused_when_it_loads(self):
        tiny_plan.write_idx_set(self.folder, "small", side=5)
        self.plan = tiny_plan.write_plan(self.folder, ("tiny", "small"))
        self.assert_ends(self.run_plan("--set=runs.distilled.data_set=small"), CONFIGURATION,
                         '"distilled"', "teacher/export", "[6,6]", "[5,5]")

    def test_resume_refuses_data_that_no_longer_hold_before_anything_starts(self):
        self.assert_ends(self.run_plan(), DONE)
        os.remove(self.path("run/report.md"))
        write(self.path("tiny-test-y"), b"cat,dog\n")
        log = self.path("run/logs/coordinator.log")
        before = os.path.getsize(log)
        self.assert_ends(self.ctl("resume", self.run_dir), CONFIGURATION,
                         self.path("tiny-test-y"), "not an IDX file")
        self.assertEqual(os.path.getsize(log), before)

    def test_npy_files_with_examples_that_have_no_label_train_to_the_end(self):
        for part, count in (("train", 200), ("test", 60)):
            pixels, labels = tiny_plan.examples(count, 36)
            rows = b"".join(struct.pack("<f", p / 255) for p in pixels)
            if part == "train":
                labels = [-1 if 40 <= i < 150 else label for i, label in enumerate(labels)]
            write(self.path(part + "-rows.npy"), tiny_plan.npy("<f4", [count, 36], rows))
            write(self.path(part + "-images.npy"), tiny_plan.npy("|u1", [count, 6, 6], pixels))
            write(self.path(part + "-labels.npy"),
                  tiny_plan.npy("<i8", [count], struct.pack("<%dq" % count, *labels)))
        with open(self.plan) as file:
            text = file.read()
        for kind in ("rows", "images"):
            with self.subTest(kind), open(self.plan, "w") as file:
                source = "".join(
                    "      %s_%s: {path: %s-%s.npy}\n" % (part, what, part, of)
                    for part in ("train", "test")
                    for what, of in (("examples", kind), ("labels", "labels")))
                begin, end = text.index("    idx:"), text.index("    classes:")
                file.write(text[:begin] + "    npy:\n" + source + text[end:])
                file.flush()
                self.run_dir = self.path(kind)
                self.assert_ends(self.run_plan(), DONE)
                self.assertTrue(os.path.exists(os.path.join(self.run_dir, "report.md")))

    def test_paths_relative_to_a_relative_plan_hold_for_every_process(self):
        result = self.ctl("run", "plan.yaml", "--run-dir", "run")
        self.assert_ends(result, DONE)


class Exports(BadInput):

    def serve_altered(self, alter, *parts):
        """Trains, alters the teacher's weights while the distilled run is stopped, resumes."""
        process = self.start_long("distilled")
        process.send_signal(signal.SIGINT)
        self.assertEqual(tiny_plan.finish(process, self.folder).code, INTERRUPTED)
        weights = self.path("run/teacher/export/weights.safetensors")
        with open(weights, "rb") as file:
            good = file.read()
        for name, bad in alter(good):
            with self.subTest(name):
                write(weights, bad)
                self.assert_ends(self.ctl("resume", self.run_dir), DATA, '"distilled"',
                                 "teacher/export", *parts)
        os.remove(weights)
        self.assert_ends(self.ctl("resume", self.run_dir), DATA, '"distilled"', weights)

    def test_altered_weights_and_hostile_headers_are_refused_by_the_teacher_server(self):
        def alter(good):
            yield "bit", good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
            yield "short", good[:len(good) // 2]
            yield "header", struct.pack("<Q", 2**63) + good[8:]
            yield "deep", struct.pack("<Q", 50000) + b"[" * 50000
        self.serve_altered(alter, "weights.safetensors")


class Machines(BadInput):

    def test_a_plan_that_was_left_says_how_far_it_came_and_why(self):
        process = self.start_long("alone")
        process.send_signal(signal.SIGINT)
        self.assertEqual(tiny_plan.finish(process, self.folder).code, INTERRUPTED)
        result = self.ctl("status", self.run_dir, "-o", "json")
        self.assertEqual(result.code, DONE, result)
        status = json.loads(result.out)
        self.assertEqual(status["state"], "STOPPED")
        self.assertIn("stopped by SIGINT", status["message"])
        self.assertIn("distillctl resume " + self.run_dir, status["message"])
        self.assertEqual([run["state"] for run in status["runs"]], ["DONE", "HALTED", "HALTED"])
        self.assertEqual(status["members"], [])
        result = self.ctl("status", self.run_dir)
        self.assertIn("stopped by SIGINT", result.out)
        # Which is forgotten where it goes on.
        process = tiny_plan.start([tiny_plan.DISTILLCTL, "resume", self.run_dir], self.folder)
        self.addCleanup(process.kill)
        tiny_plan.wait_until(lambda: '"RUNNING"' in self.ctl("status", self.run_dir, "-o",
                                                             "json").out, "the plan goes on")
        self.assertFalse(os.path.exists(self.path("run/last_status.json")))
        process.send_signal(signal.SIGINT)
        self.assert_ends(tiny_plan.finish(process, self.folder), INTERRUPTED, "stopped by SIGINT")

    def test_a_plan_that_ends_while_its_status_is_asked_for_is_done(self):
        self.assert_ends(self.run_plan(), DONE)
        processes = self.path("run/processes.json")
        with socket.create_server(("127.0.0.1", 0)) as coordinator:
            coordinator.settimeout(30)
            address = "127.0.0.1:%d" % coordinator.getsockname()[1]
            with open(processes, "w") as file:
                json.dump([{"role": "coordinator", "address": address}], file)
            asks = tiny_plan.start([tiny_plan.DISTILLCTL, "status", self.run_dir, "-o", "json"],
                                   self.folder)
            coordinator.accept()[0].close()
        os.remove(processes)
        result = tiny_plan.finish(asks, self.folder)
        self.assertEqual(result.code, DONE, result)
        self.assertEqual(json.loads(result.out)["state"], "FINISHED")

    def test_a_plan_that_runs_is_not_resumed_beside_itself(self):
        process = self.start_long("alone")
        for dry in ((), ("--dry-run",)):
            result = self.ctl("resume", self.run_dir, *dry)
            self.assertEqual(result.code, REFUSED, result)
            self.assertIn("runs already", result.message)
            self.assertIn("distillctl watch " + self.run_dir, result.message)
        process.send_signal(signal.SIGINT)
        self.assert_ends(tiny_plan.finish(process, self.folder), INTERRUPTED, "stopped by SIGINT")

    def test_killed_teacher_servers_end_the_run_at_once(self):
        process = self.start_long("alone")
        for entry in tiny_plan.wait_until(
                lambda: tiny_plan.entries(self.run_dir, "teacher_server"), "a teacher server"):
            os.kill(entry["pid"], signal.SIGKILL)
        begin = time.monotonic()
        self.assert_ends(tiny_plan.finish(process, self.folder), FAILED,
                         "teacher-0 was killed by SIGKILL", "distillctl resume " + self.run_dir)
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_run_without_a_teacher_server_says_so_and_can_be_left(self):
        folder = self.path("elsewhere")
        coordinator, address = tiny_plan.start_coordinator(self.folder, folder)
        self.addCleanup(coordinator.communicate)
        self.addCleanup(coordinator.kill)
        worker = tiny_plan.start_by_hand("student_worker/student_worker", self.folder, "--run-dir",
                                         folder, "--coordinator", address)
        self.addCleanup(worker.communicate)
        self.addCleanup(worker.kill)
        watcher = tiny_plan.start([tiny_plan.DISTILLCTL, "run", self.plan, "--run-dir", folder,
                                   "--coordinator", address], self.folder)
        self.addCleanup(watcher.kill)
        self.assertTrue(tiny_plan.says(watcher, "distilled",
                                       'waits for a teacher server that is ready with "teacher"'))
        watcher.send_signal(signal.SIGINT)
        result = tiny_plan.finish(watcher, self.folder, 10)
        self.assertEqual(result.code, INTERRUPTED, result)
        self.assertIn("the plan goes on at " + address, result.message)

    def test_a_port_in_use_or_out_of_range_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for room, program, flag, value, code in (
                    ("coordinator", "coordinator", "--listen", address, REFUSED),
                    ("coordinator", "coordinator", "--ops-listen", address, REFUSED),
                    ("coordinator", "coordinator", "--listen", "127.0.0.1:99999", CONFIGURATION),
                    ("coordinator", "coordinator", "--listen", "nowhere", CONFIGURATION),
                    ("teacher_server", "teacher_server", "--listen", address, REFUSED),
                    ("teacher_server", "teacher_server", "--ops-listen", address, REFUSED),
                    ("student_worker", "student_worker", "--ops-listen", address, REFUSED),
                    # Unencrypted, and not allowed to be.
                    ("student_worker", "student_worker", "--bind-host", "192.0.2.1", REFUSED)):
                with self.subTest((program, flag, value)):
                    args = [os.path.join(tiny_plan.BUILT, room, program), "--run-dir",
                            self.path("p"), flag, value]
                    if program != "coordinator":
                        args += ["--coordinator", "127.0.0.1:1"]
                    if flag != "--ops-listen":
                        args += ["--ops-listen", "127.0.0.1:0"]
                    result = tiny_plan.finish(tiny_plan.start(args, self.folder), self.folder, 15)
                    self.assertEqual(result.code, code, result)
                    last = result.err.rstrip("\n").split("\n")[-1]
                    self.assertTrue(last.startswith(program + ": "), result)
                    self.assertIn(value, last)
                    self.assertNotIn("chttp2", result.err)
                    self.assert_nothing_runs()

    def test_garbage_on_a_teacher_servers_port_disturbs_nobody(self):
        process = tiny_plan.start([tiny_plan.DISTILLCTL, "run", self.plan, "--run-dir",
                                   self.run_dir, *long("distilled")], self.folder)
        self.addCleanup(process.kill)
        steps = self.path(os.path.join(self.run_dir, "distilled", "metrics.rank0.jsonl"))
        asked = lambda: os.path.exists(steps) and os.path.getsize(steps)
        tiny_plan.wait_until(asked, "a step with the teacher's labels")
        entry = tiny_plan.entries(self.run_dir, "teacher_server")[0]
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        # A frame of more than HTTP/2 lets through, a gRPC message of 20 MB, and no HTTP/2.
        path = b"/distill.v1.Teacher/Label"
        headers = b"\x83\x86\x04" + bytes([len(path)]) + path  # POST, http, :path
        request = struct.pack(">I", len(headers))[1:] + b"\x01\x04" + struct.pack(">I", 1) + headers
        announced = b"\x00" + struct.pack(">I", 20_000_000)
        data = struct.pack(">I", 16384)[1:] + b"\x00\x00" + struct.pack(">I", 1)
        message = announced + bytes(16384 - 5)
        for garbage in (os.urandom(65536), bytes(20_000_000), preface + b"\xff" * 65536,
                        preface + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + request + data + message +
                        (data + bytes(16384)) * 1300,
                        b"GET /metrics HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", entry["port"]), timeout=5) as connection:
                connection.settimeout(2)
                try:
                    connection.sendall(garbage)
                    connection.recv(1)
                except OSError:
                    pass  # it hung up
        before = asked()
        tiny_plan.wait_until(lambda: asked() > before, "a further step")
        self.assertEqual(tiny_plan.entries(self.run_dir, "teacher_server")[0], entry)
        self.assertEqual(self.ctl("stop", self.run_dir, "--yes").code, DONE)
        self.assert_ends(tiny_plan.finish(process, self.folder), STOPPED)


# Parameters enough for a checkpoint of some 650 KB.
WIDE = "--set=runs.teacher.model.widths=[2048]"


class Disks(BadInput):

    def test_a_file_over_the_systems_limit_is_named_and_resume_finishes(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        result = self.run_plan(WIDE, preexec_fn=limit)
        self.assert_ends(result, FAILED, '"teacher"', "checkpoint", "safetensors",
                         "File too large", "distillctl resume " + self.run_dir)
        self.assert_ends(self.ctl("resume", self.run_dir), DONE)

    def test_a_full_disk_is_named_and_resume_finishes_when_there_is_room(self):
        disk = self.path("disk")
        os.mkdir(disk)
        script = ("mount -t tmpfs -o size=%s none disk || exit 99\n"
                  '"$0" "$@" --run-dir disk/run\n'
                  "echo first $?; tail -c 2000 disk/run/logs/* >&2\n"
                  "mount -o remount,size=30m disk\n"
                  '"$0" resume disk/run\n')
        namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
        probe = subprocess.run(namespace + ["mount -t tmpfs none disk"], cwd=self.folder,
                               stderr=subprocess.DEVNULL, timeout=10, check=False)
        if probe.returncode != 0:
            self.skipTest("no user namespaces with mounts here")
        for size, named in (("60k", "processes.json"), ("300k", "safetensors")):
            with self.subTest(size):
                process = tiny_plan.start(
                    [*namespace, script % size, tiny_plan.DISTILLCTL, "run", self.plan, WIDE],
                    self.folder)
                result = tiny_plan.finish(process, self.folder, 60)
                self.assertEqual(result.out.split("\n")[0], "first 1", result)
                self.assertIn("No space left on device", result.err)
                self.assertIn(named, result.err)
                self.assertEqual(result.code, DONE, result)
                self.assert_nothing_runs()


if __name__ == "__main__":
    unittest.main()
