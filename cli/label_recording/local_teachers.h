// Teacher servers on this machine that no coordinator tells what to serve.
#ifndef CLI_LABEL_RECORDING_LOCAL_TEACHERS_H_
#define CLI_LABEL_RECORDING_LOCAL_TEACHERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/command_line/model_flags.h"
#include "cli/launcher/supervisor.h"
#include "common/files/file_system.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct LocalTeachersOptions {
  // Path of teacher_server.
  std::string program;
  std::string run_dir;
  v1::Serve order;
  int servers = 1;
  // Of each.
  int threads = 1;
  std::string bind_host = "127.0.0.1";
  ModelFlags models;
  // Of serve.yaml, which tells them the order, and of their logs; made where it is missing.
  std::string folder;
};

// Starts them under `supervisor`, named teacher-0, teacher-1, ..., and returns the addresses
// where they serve, each with the model loaded. Errors of Supervisor::Start; those that run
// by then stay with the supervisor.
absl::StatusOr<std::vector<std::string>> StartLocalTeachers(FileSystem& files,
                                                            Supervisor& supervisor,
                                                            const LocalTeachersOptions& options);

}  // namespace distill

#endif  // CLI_LABEL_RECORDING_LOCAL_TEACHERS_H_
