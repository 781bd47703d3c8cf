"""Which room may include what. This file is the table; scanner.py applies it.

A room is a folder, named from the workspace root; the longest match counts.
Patterns are shell patterns over include paths. `**` is not needed: `*` also
matches slashes."""

import collections

# A room includes rooms of its own or a lower layer. A folder that is not listed is
# an error: a new room is given its place here, by the person who adds it.
LAYERS = {
    "third_party": 0,
    "proto": 0,  # the generated proto/*.pb.h
    "tools": 0,
    "common": 1,
    # Pure: no gRPC, no LibTorch, no threads, no clock, no files.
    "distillation/run_config": 2,
    "distillation/schedules": 2,
    "distillation/labels": 2,
    "distillation/order": 2,
    "teacher_server/batching": 2,
    "teacher_server/label_stream": 2,
    "teacher_server/canary": 2,
    "student_worker/label_source": 2,
    "coordinator/state": 2,
    "coordinator/membership": 2,
    # Adapters: LibTorch, files.
    "distillation/data": 3,
    "distillation/label_sets": 3,
    "distillation/models": 3,
    "distillation/objectives": 3,
    "teacher_server/runner": 3,
    "teacher_server/cache": 3,
    "student_worker/training": 3,
    "student_worker/collectives": 3,
    "student_worker/accounting": 3,
    "student_worker/checkpoint": 3,
    "student_worker/evaluation": 3,
    "coordinator/journal": 3,
    "coordinator/store": 3,
    # Edge: the network.
    "teacher_server/service": 4,
    "teacher_server/client": 4,
    "student_worker/worker": 4,
    "coordinator/service": 4,
    "coordinator/client": 4,
    # Binaries and what exercises them. *_main.cc of any room belongs here too.
    "teacher_server": 5,
    "student_worker": 5,
    "coordinator": 5,
    "cli": 5,
    "tests": 5,
    "benchmarks": 5,
    "python": 5,
}

BINARIES = 5
PURE = [room for room, layer in LAYERS.items() if layer == 2]
TORCH = ["distillation/models", "distillation/objectives", "teacher_server/runner",
         "student_worker/training", "student_worker/collectives"]
EDGE = [room for room, layer in LAYERS.items() if layer == 4]

# headers: what is restricted. direct: rooms whose files may name it in an #include.
# reach: rooms (beside those) whose closure may contain it; files of layer 5 always
# may, except those below `never`. tests: whether *_test.cc and *_benchmark.cc may
# include it anywhere.
Only = collections.namedtuple("Only", "what headers direct reach never tests")
ONLY = [
    Only("LibTorch", ["torch/*", "ATen/*", "c10/*", "caffe2/*", "gloo/*"],
         direct=TORCH + ["third_party"], reach=["student_worker/worker"],
         never=["cli", "coordinator"], tests=False),
    Only("gRPC", ["grpc/*", "grpcpp/*", "grpc++/*"],
         direct=["common/rpc"] + EDGE + ["coordinator/store"], reach=[],
         never=[], tests=False),
    Only("generated gRPC services", ["*.grpc.pb.h"], direct=EDGE, reach=[],
         never=[], tests=False),
    Only("SQLite", ["sqlite3.h", "sqlite3ext.h"], direct=["coordinator/store"], reach=[],
         never=["cli"], tests=False),
    Only("prometheus-cpp and CivetWeb", ["prometheus/*", "CivetServer.h", "civetweb.h"],
         direct=["common/metrics"], reach=[], never=[], tests=False),
]

# rooms may have none of headers in their closure.
Never = collections.namedtuple("Never", "what headers rooms tests")
NEVER = [
    Never("threads, locks and clocks",
          ["thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "latch",
           "barrier", "chrono", "time.h", "ctime", "pthread.h", "sys/time.h",
           "absl/synchronization/*", "absl/time/clock.h"],
          rooms=PURE, tests=True),
    Never("files and the system",
          ["fstream", "filesystem", "cstdio", "stdio.h", "unistd.h", "fcntl.h", "sys/*"],
          rooms=PURE, tests=True),
    Never("protos of the domain", ["proto/*"], rooms=["common"], tests=False),
]

# These never include one another, except through the clients.
PEERS = ["teacher_server", "student_worker", "coordinator"]
PEER_DOORS = ["teacher_server/client", "coordinator/client"]

# A test may include these, whatever its room's layer.
TEST_SUPPORT = ["tests/support"]
