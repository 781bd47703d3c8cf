#include "teacher_server/runner/fake_runner.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

FakeRunner::FakeRunner(ModelDescription description, Mode mode, int max_in_flight)
    : description_(std::move(description)), mode_(mode), max_in_flight_(max_in_flight) {}

FakeRunner::~FakeRunner() {
  while (CompleteOldest(absl::CancelledError("the runner is gone"))) {
  }
}

void FakeRunner::Start(InferenceBatch batch, Done done) {
  if (mode_ == Mode::kAtOnce) {
    done(AnswerOf(batch));
    return;
  }
  {
    absl::MutexLock lock(&mu_);
    if (static_cast<int>(pending_.size()) < max_in_flight_) {
      pending_.emplace_back(std::move(batch), std::move(done));
      return;
    }
  }
  done(absl::ResourceExhaustedError("more batches started than max_in_flight"));
}

bool FakeRunner::CompleteOldest(absl::Status status) {
  std::pair<InferenceBatch, Done> oldest;
  {
    absl::MutexLock lock(&mu_);
    if (pending_.empty()) return false;
    oldest = std::move(pending_.front());
    pending_.pop_front();
  }
  if (status.ok()) {
    oldest.second(AnswerOf(oldest.first));
  } else {
    oldest.second(std::move(status));
  }
  return true;
}

bool FakeRunner::AwaitInFlight(int count, absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return static_cast<int>(pending_.size()) >= count;
  };
  return mu_.AwaitWithTimeout(absl::Condition(&there), timeout);
}

int FakeRunner::in_flight() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int>(pending_.size());
}

std::shared_ptr<const LabelHead> FakeRunner::Head(int64_t classes) {
  std::vector<float> weight;
  for (int64_t c = 0; c < classes; ++c) weight.insert(weight.end(), {static_cast<float>(c), 0});
  return std::make_shared<const LabelHead>(
      LabelHead{MakeTensorView(ElementType::kFloat32, {classes, 2}, std::move(weight)),
                MakeTensorView(ElementType::kFloat32, {classes},
                               std::vector<float>(static_cast<size_t>(classes)))});
}

absl::StatusOr<InferenceResult> FakeRunner::AnswerOf(const InferenceBatch& batch) const {
  absl::StatusOr<InferenceResult> result = Answer(description_, batch);
  if (result.ok()) result->waited = waited_;
  return result;
}

absl::StatusOr<InferenceResult> FakeRunner::Answer(const ModelDescription& description,
                                                   const InferenceBatch& batch) {
  const std::vector<int64_t>& dims = batch.examples.dims;
  if (dims.empty() || !std::equal(dims.begin() + 1, dims.end(), description.example_dims.begin(),
                                  description.example_dims.end())) {
    return absl::InvalidArgumentError("the examples have another shape than the model reads");
  }
  InferenceResult result;
  for (const std::string& output : batch.outputs) {
    const auto& known = description.outputs;
    const bool hidden = output == kHiddenOutput && description.head != nullptr;
    if (!hidden && std::find(known.begin(), known.end(), output) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the model has no output ", output));
    }
    const std::span<const float> values = batch.examples.as<float>();
    const int64_t rows = dims[0];
    const size_t width = rows == 0 ? 0 : values.size() / rows;
    std::vector<float> answers;
    for (int64_t row = 0; row < rows; ++row) {
      const auto example = values.subspan(row * width, width);
      const float sum = std::accumulate(example.begin(), example.end(), 0.0f);
      if (hidden) {
        answers.insert(answers.end(), {sum, 1});
        continue;
      }
      for (int64_t c = 0; c < description.classes; ++c) answers.push_back(sum * c);
    }
    const int64_t wide = hidden ? description.head->features() : description.classes;
    result.outputs.push_back(
        MakeTensorView(ElementType::kFloat32, {rows, wide}, std::move(answers)));
  }
  return result;
}

}  // namespace distill
