// What bounds the run that trains now.
#ifndef CLI_REPORT_LIVE_VERDICT_H_
#define CLI_REPORT_LIVE_VERDICT_H_

#include <map>
#include <string>
#include <vector>

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
  std::string Of(const v1::PlanStatus& status);

 private:
  // Of a run, up to here.
  struct Account {
    std::vector<FileTail> ranks;
    // By rank: its first step, which opens streams and touches memory first, is left out.
    std::vector<bool> begun;
    RunAccounting sum;
  };

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
};

}  // namespace distill

#endif  // CLI_REPORT_LIVE_VERDICT_H_
