// One rank's part in training one model: what a step computes, and what of it is kept.
#ifndef STUDENT_WORKER_TRAINING_TRAINER_H_
#define STUDENT_WORKER_TRAINING_TRAINER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/safetensors/safetensors.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "distillation/labels/soft_labels.h"
#include "distillation/models/export/export.h"
#include "distillation/models/model_directory.h"
#include "distillation/order/order.h"
#include "distillation/schedules/schedule_timeline.h"
#include "proto/run_config.pb.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/collectives/interface.h"

namespace distill {

struct TrainerOptions {
  // Resolved (plan_defaults.h).
  v1::RunConfig run;
  // Of the plan: initial values, order and labelled subset are drawn from it.
  uint64_t seed = 0;
  // Where a model from a file is loaded from.
  ModelDirectory programs = {};
};

// By (teacher role, output), rows as in Slice.
using TeacherLabels = std::map<std::pair<std::string, std::string>, SoftLabels>;

// Of the global batch, equal on all ranks.
struct StepResult {
  double loss = 0;
  // By term name, not weighted; without those that no example of the step had.
  std::map<std::string, double> terms;
};

// Confined to the thread that trains. All ranks make the same calls in the same order.
// Besides the codes listed every call may return those of Collectives: UNAVAILABLE and
// ABORTED mean that this world is over.
class Trainer {
 public:
  // `collectives` and `phases` outlive the trainer. INVALID_ARGUMENT where configuration
  // and data do not fit: the message names the field. For a model from a file also the errors
  // of ModelDirectory::Load, and FAILED_PRECONDITION where it does not fit or cannot be trained.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const TrainerOptions& options,
                                                         std::shared_ptr<const DataSet> data,
                                                         Collectives* collectives,
                                                         PhaseClock* phases);
  virtual ~Trainer() = default;

  // The examples of this rank in `step`.
  virtual absl::StatusOr<std::vector<ExampleView>> Slice(int64_t step) = 0;

  // One update. `labels` empty for a run without teachers. INTERNAL, naming the term or
  // parameter: training has diverged; lower the learning rate or clip. FAILED_PRECONDITION: the
  // output that is trained does not depend on every parameter; the message names those.
  virtual absl::StatusOr<StepResult> Step(int64_t step, const StepValues& values,
                                          const TeacherLabels& labels) = 0;

  // Share of the validation split that is predicted right; 0 without such a split.
  virtual absl::StatusOr<double> ValidationAccuracy() = 0;

  // Brings the running statistics of all ranks together and asserts that their models
  // are equal bit for bit: INTERNAL otherwise, and then nothing may be kept. Before
  // every checkpoint and export.
  virtual absl::Status AgreeWithOtherRanks() = 0;

  // What a checkpoint holds after `step` updates: the shared part is the same on all
  // ranks, the rank's part is its own.
  virtual absl::StatusOr<Safetensors> SharedState(int64_t step) const = 0;
  virtual absl::StatusOr<Safetensors> RankState(int64_t step) const = 0;
  // Goes on from there, bit for bit. DATA_LOSS: the parts are not of such a run.
  virtual absl::Status Restore(int64_t step, const Safetensors& shared,
                               const Safetensors& rank) = 0;
  virtual std::vector<uint64_t> GradientBucketBytes() const = 0;

  // Of the export's manifest: the model, as it was loaded, and how many parameters it has.
  virtual void DescribeModel(v1::ExportManifest& manifest) const = 0;
  virtual absl::StatusOr<std::map<std::string, TensorView>> ModelTensors() const = 0;
  // As Model::Serialized.
  virtual absl::StatusOr<std::string> ModelProgram() const = 0;
  // The logits of a few examples, for whoever loads the export.
  virtual absl::StatusOr<ExportCheck> MakeExportCheck() = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_TRAINER_H_
