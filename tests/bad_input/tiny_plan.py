"""A plan of three runs that trains in a second, its data, and processes under deadlines."""

import gzip
import json
import os
import random
import signal
import struct
import subprocess
import threading
import time

CLASSES = 4
BUILT = os.environ.get("DISTILL_BIN", os.getcwd())
DISTILLCTL = os.path.join(BUILT, "cli/distillctl")

DATA_SET = """\
  - name: {name}
    idx:
      train_images: {{path: {name}-train-x}}
      train_labels: {{path: {name}-train-y}}
      test_images: {{path: {name}-test-x}}
      test_labels: {{path: {name}-test-y}}
    classes: 4
    validation_examples: 20
"""

RUNS = """\
runs:
  - name: teacher
    data_set: tiny
    model: {architecture: mlp, widths: [16]}
    schedules: &schedules
      learning_rate: {pieces: [{begin_step: 0, end_step: 8, constant: {value: 0.05}}]}
    training: &training {steps: 8, global_batch_size: 20, checkpoint_every_steps: 4}
  - name: alone
    data_set: tiny
    model: &model {architecture: mlp, widths: [8]}
    labelled_subset: {examples: 20}
    schedules: *schedules
    training: *training
  - name: distilled
    data_set: tiny
    model: *model
    labelled_subset: {examples: 20}
    teachers: [{role: teacher, run: teacher}]
    objective:
      - {name: hard, hard_cross_entropy: {}}
      - {name: soft, soft_kl: {teacher: teacher}}
    schedules: *schedules
    training: *training
"""


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def idx(dims, values):
    header = bytes([0, 0, 8, len(dims)]) + b"".join(struct.pack(">I", d) for d in dims)
    return gzip.compress(header + bytes(values))


def npy(descr, dims, raw):
    shape = "(" + "".join("%d, " % d for d in dims) + ")"
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    head = head.ljust(118 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + raw


def examples(count, values, seed=5):
    """Bytes that say their class, and the classes."""
    rng = random.Random(seed)
    labels = [i % CLASSES for i in range(count)]
    pixels = bytearray()
    for label in labels:
        for at in range(values):
            pixels.append(200 + rng.randrange(50) if at % CLASSES == label else rng.randrange(60))
    return pixels, labels


def write_idx_set(folder, name, side=6):
    for part, count in (("train", 200), ("test", 60)):
        pixels, labels = examples(count, side * side)
        prefix = os.path.join(folder, "%s-%s" % (name, part))
        write(prefix + "-x", idx([count, side, side], pixels))
        write(prefix + "-y", idx([count], labels))


def write_plan(folder, data_sets=("tiny",)):
    """The plan's path; its data lie beside it."""
    text = "name: tiny\nseed: 3\ndata_sets:\n"
    text += "".join(DATA_SET.format(name=name) for name in data_sets) + RUNS
    path = os.path.join(folder, "plan.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def processes_of(folder):
    """Pids of the processes that have `folder` on their command line, zombies left out."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read()
        except OSError:
            continue
        if int(pid) != os.getpid() and folder.encode() in words:
            found.append(int(pid))
    return found


def kill_all(folder):
    for pid in processes_of(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


class Result:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def message(self):
        """From the last line that distillctl begins with its name to the end."""
        lines = self.err.rstrip("\n").split("\n")
        for at in range(len(lines) - 1, -1, -1):
            if lines[at].startswith("distillctl: "):
                return "\n".join(lines[at:])
        return ""

    def __repr__(self):
        return "exit code %s\n%s%s" % (self.code, self.out, self.err)


def start(args, folder, **more):
    return subprocess.Popen(args, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def start_by_hand(program, folder, *args, **more):
    """A coordinator or worker without a distillctl."""
    return start([os.path.join(BUILT, program), *args, "--ops-listen", "127.0.0.1:0"], folder, **more)


def start_coordinator(folder, run_dir):
    """The process, and where it serves."""
    read, ready = os.pipe()
    process = start_by_hand("coordinator/coordinator", folder, "--run-dir", run_dir, "--ready-fd",
                            str(ready), pass_fds=(ready,))
    os.close(ready)
    with os.fdopen(read) as lines:
        return process, json.loads(lines.readline())["address"]


def says(process, *parts, seconds=40):
    """Whether a line of its stderr has all parts, before it ends or is killed at the deadline."""
    deadline = threading.Timer(seconds, process.kill)
    deadline.start()
    try:
        return any(all(part in line for part in parts) for line in process.stderr)
    finally:
        deadline.cancel()


def finish(process, folder, seconds=40):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill_all(folder)
        process.kill()
        out, err = process.communicate()
        raise AssertionError("still running after %d s: %s\n%s%s" %
                             (seconds, process.args, out, err))
    return Result(process.returncode, out, err)


def entries(run_dir, role):
    """What processes.json says of the processes of a role."""
    try:
        with open(os.path.join(run_dir, "processes.json")) as file:
            return [entry for entry in json.load(file) if entry["role"] == role]
    except FileNotFoundError:
        return []
