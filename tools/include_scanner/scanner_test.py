"""Each rule of the table, seen to catch a wrong arrow planted for it."""

import unittest

from tools.include_scanner import rules
from tools.include_scanner import scanner


def violations(files):
    text = {path: "".join('#include "%s"\n' % i for i in includes) for path, includes in files.items()}
    return scanner.Scanner(text, rules).violations()


class ScannerTest(unittest.TestCase):

    def assert_one(self, files, *words):
        found = violations(files)
        self.assertEqual(1, len(found), found)
        for word in words:
            self.assertIn(word, found[0])

    def assert_none(self, files):
        self.assertEqual([], violations(files))

    def test_a_tree_without_wrong_arrows_has_no_violation(self):
        self.assert_none({
            "common/clock/clock.h": ["absl/time/time.h"],
            "common/clock/system_clock.cc": ["common/clock/clock.h", "absl/time/clock.h", "thread"],
            "distillation/order/order.h": ["proto/types.pb.h", "common/clock/clock.h"],
            "teacher_server/runner/torch_runner.cc": ["torch/script.h"],
            "teacher_server/service/service.cc": ["proto/teacher.grpc.pb.h", "grpcpp/grpcpp.h"],
            "student_worker/worker/worker.cc": ["teacher_server/client/client.h"],
            "teacher_server/client/client.h": ["teacher_server/label_stream/stream.h"],
            "teacher_server/label_stream/stream.h": ["vector"],
            "tests/integration/all_test.cc": ["grpcpp/grpcpp.h", "torch/script.h"],
        })

    def test_an_include_of_a_higher_layer_is_a_violation(self):
        self.assert_one({
            "distillation/schedules/a.h": ["teacher_server/cache/b.h"],
            "teacher_server/cache/b.h": [],
        }, "distillation/schedules/a.h", "teacher_server/cache/b.h", "arrows point down")

    def test_common_knows_no_proto_of_the_domain(self):
        self.assert_one({"common/config/a.cc": ["proto/types.pb.h"]}, "protos of the domain")

    def test_libtorch_outside_its_rooms_is_a_violation(self):
        self.assert_one({"teacher_server/service/a.cc": ["ATen/ATen.h"]}, "LibTorch")

    def test_libtorch_reached_through_another_header_is_a_violation(self):
        self.assert_one({
            "teacher_server/service/a.cc": ["teacher_server/runner/b.h"],
            "teacher_server/runner/b.h": ["torch/script.h"],
        }, "teacher_server/service/a.cc > teacher_server/runner/b.h", "torch/script.h")

    def test_libtorch_reached_by_the_coordinator_binary_is_a_violation(self):
        self.assert_one({
            "coordinator/coordinator_main.cc": ["distillation/models/b.h"],
            "distillation/models/b.h": ["torch/script.h"],
        }, "LibTorch")

    def test_the_worker_and_its_binary_may_reach_libtorch_but_not_name_it(self):
        self.assert_none({
            "student_worker/student_worker_main.cc": ["student_worker/worker/a.h"],
            "student_worker/worker/a.h": ["student_worker/training/b.h"],
            "student_worker/training/b.h": ["torch/types.h"],
        })
        self.assert_one({"student_worker/worker/a.h": ["torch/types.h"]}, "LibTorch")

    def test_grpc_outside_the_edge_is_a_violation(self):
        self.assert_one({"coordinator/journal/a.cc": ["grpcpp/grpcpp.h"]}, "gRPC")
        self.assert_one({"teacher_server/batching/a_test.cc": ["grpcpp/grpcpp.h"]}, "gRPC")

    def test_a_generated_service_outside_the_edge_is_a_violation(self):
        self.assert_one({"coordinator/state/a.h": ["proto/coordinator.grpc.pb.h"]}, "generated gRPC services")

    def test_sqlite_and_prometheus_stay_in_their_rooms(self):
        self.assert_one({"coordinator/journal/a.cc": ["sqlite3.h"]}, "SQLite")
        self.assert_one({"common/rpc/a.cc": ["prometheus/counter.h"]}, "prometheus")

    def test_a_pure_room_has_no_threads_clock_or_files_even_through_common(self):
        for header in ["thread", "mutex", "chrono", "absl/time/clock.h", "absl/synchronization/mutex.h", "fstream"]:
            self.assert_one({"coordinator/state/a.h": [header]}, header)
            self.assert_one({"coordinator/state/a.h": ["common/x/x.h"], "common/x/x.h": [header]}, header)

    def test_a_test_in_a_pure_room_may_start_threads(self):
        self.assert_none({"coordinator/state/a_test.cc": ["thread"]})

    def test_roles_meet_only_through_clients(self):
        self.assert_one({
            "student_worker/worker/a.cc": ["teacher_server/label_stream/b.h"],
            "teacher_server/label_stream/b.h": [],
        }, "meet only through")

    def test_a_folder_without_a_layer_is_a_violation(self):
        self.assert_one({"coordinator/attic/a.h": []}, "has no layer")
        self.assert_one({"attic/a.h": []}, "has no layer")

    def test_an_include_circle_ends(self):
        self.assert_none({"common/a/a.h": ["common/a/b.h"], "common/a/b.h": ["common/a/a.h"]})

    def test_a_header_that_no_source_includes_first_is_named(self):
        files = {
            "common/a/a.h": "", "common/a/b.h": "",
            "common/a/a.cc": '#include "common/a/a.h"\n#include "common/a/b.h"\n',
        }
        self.assertEqual(["common/a/b.h"], scanner.not_included_first(files))


if __name__ == "__main__":
    unittest.main()
