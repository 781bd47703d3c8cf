// A student's training loop in the benchmark's process: the distilled run of
// examples/fashion_mnist.yaml on one rank, with its real data, network and optimiser.
#ifndef BENCHMARKS_SUPPORT_STUDENT_H_
#define BENCHMARKS_SUPPORT_STUDENT_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "distillation/data/data_set.h"
#include "distillation/labels/soft_labels.h"
#include "distillation/order/order.h"
#include "distillation/schedules/schedule_timeline.h"
#include "proto/run_config.pb.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/interface.h"
#include "student_worker/training/trainer.h"

namespace distill {

class BenchStudent {
 public:
  // Soft labels of a step, of rows() examples and classes() classes.
  using LabelsOf = std::function<absl::StatusOr<SoftLabels>(int64_t step)>;

  // After a step, in the phase "other".
  using OnStep = std::function<absl::Status(int64_t step, const StepValues& values,
                                            const StepResult& result, PhaseClock& phases)>;

  // Run from the workspace's root. The clock is that of the phases. NOT_FOUND: the data set is
  // not installed.
  static absl::StatusOr<std::unique_ptr<BenchStudent>> Create(Clock* clock);

  // The next `steps` steps.
  absl::Status Train(int64_t steps, const LabelsOf& labels_of, const OnStep& on_step = nullptr);

  int64_t next_step() const { return next_step_; }
  int64_t rows() const { return run_.training().global_batch_size(); }
  int64_t classes() const { return data_->classes(); }
  const v1::RunConfig& run() const { return run_; }
  const std::shared_ptr<const DataSet>& data() const { return data_; }
  // Of a step, as the trainer takes them.
  absl::StatusOr<std::vector<ExampleView>> Slice(int64_t step) { return trainer_->Slice(step); }

 private:
  explicit BenchStudent(Clock* clock) : phases_(clock) {}

  v1::RunConfig run_;
  std::shared_ptr<const DataSet> data_;
  FakeKeyValueStore store_;
  std::unique_ptr<Collectives> collectives_;
  PhaseClock phases_;
  std::unique_ptr<ScheduleTimeline> schedules_;
  std::unique_ptr<Trainer> trainer_;
  int64_t next_step_ = 0;
};

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_STUDENT_H_
