// `distillctl label`: records the labels of a finished teacher for a run.
#ifndef CLI_LABEL_RECORDING_RECORD_LABELS_H_
#define CLI_LABEL_RECORDING_RECORD_LABELS_H_

#include <functional>
#include <string>
#include <vector>

#include "cli/label_recording/label_recorder.h"
#include "cli/label_recording/recording_plan.h"
#include "cli/local_run/model_comparison.h"
#include "proto/run_config.pb.h"

namespace distill {

struct RecordLabelsRequest {
  RecordingRequest what;
  std::string directory;
  // Those that run already; empty: starts some here.
  std::vector<std::string> teachers;
  // To start here; 0: as many, with as many threads, as the plan has.
  int teacher_servers = 0;
  int threads = 0;
  // Overwrites one line with how far it is; null: says lines.
  std::function<void(const std::string&)> show;
};

// Blocks until the set is complete and verified, and says what it holds. Interrupted, it
// keeps what is written, and the same request goes on. Processes die with the calling
// thread; their logs lie in "<directory>.recording".
Outcome RecordLabels(const LocalRunTools& tools, const v1::PlanConfig& plan,
                     const RecordLabelsRequest& request);

// "labels  120/922 blocks  13%  5,120 rows/s  ETA 9 s", for `elapsed` of this recording.
std::string RecordingProgressText(const RecordingProgress& progress, uint64_t block_rows,
                                  absl::Duration elapsed);

}  // namespace distill

#endif  // CLI_LABEL_RECORDING_RECORD_LABELS_H_
