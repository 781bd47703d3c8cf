// The command line that the three kinds of process share, so that a flag means the
// same wherever it is given.
#ifndef CLI_PROCESS_PROCESS_FLAGS_H_
#define CLI_PROCESS_PROCESS_FLAGS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "cli/command_line/command_line.h"
#include "cli/command_line/model_flags.h"

namespace distill {

enum class ProcessKind { kCoordinator, kTeacherServer, kStudentWorker };

// "coordinator", "teacher_server", "student_worker": also what the program is called.
const char* ProcessName(ProcessKind kind);

struct ProcessFlags {
  std::string name;
  // The folder of the plan, on storage that all hosts share; of the coordinator, where
  // its journal lies.
  std::string run_dir;
  // host:port of the coordinator; unused by the coordinator itself.
  std::string coordinator;
  // Of a teacher server that has no coordinator: a file with its order (v1::Serve).
  std::string serve;
  // Where it serves: coordinator and teacher servers.
  std::string listen = "127.0.0.1:0";
  // Of a teacher server: what students are told in place of that; empty: `listen` with
  // the port that is bound.
  std::string advertise;
  // Address of this host that the other ranks reach: student workers.
  std::string bind_host = "127.0.0.1";
  std::string ops_listen = "127.0.0.1:0";
  // LibTorch threads.
  int threads = 1;
  // Label cache of a teacher server: in memory (0: none), and below a directory (empty:
  // none).
  uint32_t cache_mib = 256;
  std::string cache_dir;
  uint32_t cache_disk_mib = 1024;
  // Of who computes models: teacher servers and student workers.
  ModelFlags models;
  bool allow_plaintext = false;
  // -1: nobody waits for a notice.
  int ready_fd = -1;
};

std::variant<ProcessFlags, PrintAndExit> ParseProcessFlags(ProcessKind kind,
                                                           std::vector<std::string> arguments);

// What a process that ends with `status` exits with; kDone for OK.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace distill

#endif  // CLI_PROCESS_PROCESS_FLAGS_H_
