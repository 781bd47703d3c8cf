// What bounds the run that trains now.
#ifndef CLI_REPORT_LIVE_VERDICT_H_
#define CLI_REPORT_LIVE_VERDICT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/logs/file_tail.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"
#include "student_worker/accounting/run_accounting.h"

namespace distill {

// Thread-compatible. The pointers outlive it.
class LiveVerdict {
 public:
  // Reads RUN_DIR/<run>/metrics.rank<r>.jsonl, each line once.
  LiveVerdict(FileSystem* files, Clock* clock, std::string run_dir, v1::PlanConfig plan);

  // "distilled: teacher-bound: ...", of the first run that trains and has steps; empty where
  // there is none, or its files lie elsewhere. The files are looked at every 5 seconds at most.
  // A look reads 8 MiB at most, as a screen waits for it: of a run with a long past it says
  // first that it reads, and looks more often until it has caught up.
  std::string Of(const v1::PlanStatus& status);

 private:
  // Of a run, up to here.
  struct Rank {
    FileTail file;
    // Its first step, which opens streams and touches memory first, is left out.
    bool begun = false;
    RunAccounting sum;
  };
  using Account = std::vector<Rank>;

  // What came of one rank since the last look; how many bytes were left. A rank that rejoined cut
  // its file back: then what was added up is void, and the file is read anew.
  static absl::StatusOr<uint64_t> ReadMore(Rank& rank, uint64_t max_bytes);
  // Sets behind_.
  std::string Judged(const v1::RunConfig& run);

  FileSystem* const files_;
  Clock* const clock_;
  const std::string run_dir_;
  const v1::PlanConfig plan_;
  std::map<std::string, Account> accounts_;
  // The last verdict, of this run and until then.
  std::string run_;
  std::string sentence_;
  absl::Duration holds_until_;
  // Whether files were not read to their end.
  bool behind_ = false;
};

}  // namespace distill

#endif  // CLI_REPORT_LIVE_VERDICT_H_
