#include "student_worker/worker/recorded_labels.h"

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

RowsOfStep RowsOfSlices(Order order, int rank, int size, const LabelSetIdentity& identity) {
  const auto shared = std::make_shared<Order>(std::move(order));
  const uint64_t views = identity.views;
  const uint64_t examples = identity.examples;
  return [=](int64_t step) -> absl::StatusOr<std::vector<uint64_t>> {
    ASSIGN_OR_RETURN(const std::vector<ExampleView> slice, shared->Slice(step, rank, size));
    const uint64_t view = views == 0 ? 0 : static_cast<uint64_t>(shared->epoch(step)) % views;
    std::vector<uint64_t> rows;
    rows.reserve(slice.size());
    for (const ExampleView& example : slice) rows.push_back(view * examples + example.example_id);
    return rows;
  };
}

std::shared_ptr<RecordedLabels> RecordedLabels::Create(const RecordedLabelsOptions& options,
                                                       std::shared_ptr<LabelSetReader> set,
                                                       RowsOfStep rows_of, Executor* executor) {
  std::shared_ptr<RecordedLabels> labels(
      new RecordedLabels(options, std::move(set), std::move(rows_of), executor));
  labels->ReadOn();
  return labels;
}

RecordedLabels::RecordedLabels(const RecordedLabelsOptions& options,
                               std::shared_ptr<LabelSetReader> set, RowsOfStep rows_of,
                               Executor* executor)
    : options_(options),
      set_(std::move(set)),
      rows_of_(std::move(rows_of)),
      executor_(executor),
      next_(options.first_step) {}

absl::StatusOr<StepLabels> RecordedLabels::Take(int64_t step) {
  StepLabels labels;
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &RecordedLabels::TakeReturns));
    if (ready_.empty()) return *ended_;
    ABSL_RAW_CHECK(ready_.front().first == step, "labels are taken in the order of the steps");
    labels = std::move(ready_.front().second);
    ready_.pop_front();
    ++taken_;
  }
  ReadOn();
  return labels;
}

bool RecordedLabels::Await(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(this, &RecordedLabels::TakeReturns), timeout);
}

void RecordedLabels::Close(const absl::Status& reason) {
  absl::MutexLock lock(&mu_);
  if (!ended_.has_value()) ended_ = reason;
}

LabelSource::Counters RecordedLabels::counters() const {
  LabelSource::Counters counters;
  absl::MutexLock lock(&mu_);
  counters.served["recorded"] = taken_;
  return counters;
}

void RecordedLabels::ReadOn() {
  int64_t step = 0;
  {
    absl::MutexLock lock(&mu_);
    const bool enough = ready_.size() >= static_cast<size_t>(options_.window_steps);
    if (reading_ || ended_.has_value() || enough || next_ >= options_.end_step) return;
    reading_ = true;
    step = next_++;
  }
  const absl::Status posted =
      executor_->Schedule([self = shared_from_this(), step] { self->Read(step); });
  if (!posted.ok()) Close(Annotate(posted, "recorded labels"));
}

void RecordedLabels::Read(int64_t step) {
  absl::StatusOr<StepLabels> labels = Load(step);
  if (!labels.ok()) return Close(Annotate(labels.status(), absl::StrCat("step ", step)));
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    ready_.emplace_back(step, *std::move(labels));
  }
  ReadOn();
}

absl::StatusOr<StepLabels> RecordedLabels::Load(int64_t step) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> rows, rows_of_(step));
  const auto classes = static_cast<int64_t>(set_->identity().classes);
  std::vector<float> values(rows.size() * static_cast<size_t>(classes));
  RETURN_IF_ERROR(set_->Read(rows, values));
  StepLabels labels;
  labels[set_->identity().output] = MakeTensorView(
      ElementType::kFloat32, {static_cast<int64_t>(rows.size()), classes}, std::move(values));
  return labels;
}

}  // namespace distill
