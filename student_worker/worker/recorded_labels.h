// The soft labels of one teacher role from a recorded set: no teacher server is asked.
#ifndef STUDENT_WORKER_WORKER_RECORDED_LABELS_H_
#define STUDENT_WORKER_WORKER_RECORDED_LABELS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/executor/executor.h"
#include "distillation/label_sets/reader.h"
#include "distillation/order/order.h"
#include "student_worker/worker/role_labels.h"

namespace distill {

struct RecordedLabelsOptions {
  int64_t first_step = 0;
  // No step from there on is read.
  int64_t end_step = 0;
  // Steps read ahead of the one that trains; at least 1.
  int window_steps = 1;
};

// Of a step, in the order of its examples.
using RowsOfStep = std::function<absl::StatusOr<std::vector<uint64_t>>(int64_t step)>;

// What `rank` of a world of `size` takes of each step, as rows of the set. Of one thread at a
// time.
RowsOfStep RowsOfSlices(Order order, int rank, int size, const LabelSetIdentity& identity);

// Thread-safe. Reads and decodes on `executor`, one step at a time and no lock held, so that
// the disk works while the student trains. A block that is damaged ends it with DATA_LOSS.
// `executor` outlives it; call Close, and let the executor run what is queued, before the
// reader's file system goes.
class RecordedLabels final : public RoleLabels,
                             public std::enable_shared_from_this<RecordedLabels> {
 public:
  // `rows_of` is called on the executor only.
  static std::shared_ptr<RecordedLabels> Create(const RecordedLabelsOptions& options,
                                                std::shared_ptr<LabelSetReader> set,
                                                RowsOfStep rows_of, Executor* executor);

  absl::StatusOr<StepLabels> Take(int64_t step) override ABSL_LOCKS_EXCLUDED(mu_);
  bool Await(absl::Duration timeout) override ABSL_LOCKS_EXCLUDED(mu_);
  std::string WaitsFor() const override { return "the disk of the label set"; }
  void Close(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mu_);
  // Steps taken, as served by "recorded".
  LabelSource::Counters counters() const override ABSL_LOCKS_EXCLUDED(mu_);
  // None: nobody was asked.
  AnswerTimes TakeAnswerTimes() override { return {}; }

 private:
  RecordedLabels(const RecordedLabelsOptions& options, std::shared_ptr<LabelSetReader> set,
                 RowsOfStep rows_of, Executor* executor);

  bool TakeReturns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !ready_.empty() || ended_.has_value();
  }
  // Has the next step read, unless one is being read or enough are there.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mu_);
  void Read(int64_t step) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<StepLabels> Load(int64_t step);

  const RecordedLabelsOptions options_;
  const std::shared_ptr<LabelSetReader> set_;
  // Of the executor.
  const RowsOfStep rows_of_;
  Executor* const executor_;

  mutable absl::Mutex mu_;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  int64_t next_ ABSL_GUARDED_BY(mu_);
  std::deque<std::pair<int64_t, StepLabels>> ready_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
  int64_t taken_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_RECORDED_LABELS_H_
