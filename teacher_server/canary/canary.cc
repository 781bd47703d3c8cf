#include "teacher_server/canary/canary.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "teacher_server/canary/deviation.h"

namespace distill {
namespace {

// Of a tensor [all, ...].
TensorView Rows(const TensorView& all, int64_t first, int64_t rows) {
  TensorView part = all;
  const size_t row_bytes = all.bytes.size() / static_cast<size_t>(all.dims[0]);
  part.dims[0] = rows;
  part.bytes = all.bytes.subspan(static_cast<size_t>(first) * row_bytes,
                                 static_cast<size_t>(rows) * row_bytes);
  return part;
}

bool SaysNothingOfTheModel(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status) ||
         absl::IsCancelled(status);
}

}  // namespace

absl::Status CanaryRecord::Validate() const {
  const auto count = static_cast<int64_t>(ids.size());
  if (examples.type != ElementType::kFloat32 || logits.type != ElementType::kFloat32 ||
      examples.dims.empty() || examples.dims[0] != count || logits.dims.size() != 2 ||
      logits.dims[0] != count || logits.dims[1] < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("recorded answers: ", count,
                     " ids, examples and logits do not belong together; export the model again"));
  }
  const std::span<const float> values = logits.as<float>();
  if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a recorded answer is not finite; export the model again");
}

Canary::Canary(CanaryRecord record, const CanaryOptions& options)
    : record_(std::move(record)), options_(options) {
  ABSL_RAW_CHECK(record_.Validate().ok() && options.batch_examples >= 1 &&
                     options.max_batch_examples >= 1 && options.interval > absl::ZeroDuration(),
                 "invalid canaries");
  examples_ = static_cast<int64_t>(record_.ids.size());
  proven_ = examples_ == 0;
  if (!proven_) due_ = -absl::InfiniteDuration();
}

int64_t Canary::examples_due() const {
  int64_t most = options_.max_batch_examples;
  if (proven_) most = std::min(most, options_.batch_examples);
  return std::min(most, examples_ - next_);
}

TensorView Canary::Ask() {
  ABSL_RAW_CHECK(asked_ == 0 && examples_ > 0, "one question at a time");
  asked_ = examples_due();
  return Rows(record_.examples, next_, asked_);
}

absl::Status Canary::Judge(const absl::StatusOr<TensorView>& answer, absl::Duration now) {
  ABSL_RAW_CHECK(asked_ > 0, "an answer without a question");
  if (answer.ok()) {
    if (absl::Status right = Compare(*answer); !right.ok()) return right;
    Advance(now);
    return absl::OkStatus();
  }
  if (proven_ && SaysNothingOfTheModel(answer.status())) {
    asked_ = 0;
    due_ = now + options_.interval;
    return absl::OkStatus();
  }
  return WithErrorId(
      absl::DataLossError(absl::StrCat(
          "canary: the model of fingerprint ", record_.fingerprint.substr(0, 12),
          "... did not answer the examples recorded with it: ", answer.status().message())),
      ErrorId::kCanaryFailed);
}

absl::Status Canary::Compare(const TensorView& answer) {
  const int64_t classes = record_.logits.dims[1];
  ABSL_RAW_CHECK((answer.dims == std::vector<int64_t>{asked_, classes}),
                 "an answer of another shape");
  const std::span<const float> recorded = Rows(record_.logits, next_, asked_).as<float>();
  const std::span<const float> answered = answer.as<float>();
  const Deviation deviation = FindDeviation(recorded, answered, classes);
  deviation_ = deviation.worst;
  if (deviation.kind == DeviationKind::kNone) return absl::OkStatus();
  const auto at = static_cast<size_t>(deviation.row * classes + deviation.at_class);
  std::string name = DeviationKindName(deviation.kind);
  if (deviation.kind == DeviationKind::kScaled || deviation.kind == DeviationKind::kShifted) {
    absl::StrAppend(&name, " by ", deviation.amount);
  }
  return WithErrorId(
      absl::DataLossError(absl::StrCat(
          "canary: example ", record_.ids[static_cast<size_t>(next_ + deviation.row)],
          " of fingerprint ", record_.fingerprint.substr(0, 12), "...: ", record_.output,
          " of class ", deviation.at_class, " is ", answered[at], ", recorded ", recorded[at],
          " (may differ by ", deviation.allowed, "); ", deviation.rows_off, " of ", asked_,
          " rows are off: ", name,
          "; check the device, and export the model again if it has changed")),
      ErrorId::kCanaryFailed);
}

void Canary::Advance(absl::Duration now) {
  next_ += std::exchange(asked_, 0);
  if (next_ == examples_) {
    next_ = 0;
    proven_ = true;
  }
  if (proven_) due_ = now + options_.interval;
}

void Canary::Suspect(absl::Duration now) {
  if (!proven_ || examples_ == 0 || now < suspected_ + options_.suspicion_gap) return;
  suspected_ = now;
  due_ = std::min(due_, now);
}

}  // namespace distill
