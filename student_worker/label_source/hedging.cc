#include "student_worker/label_source/hedging.h"

#include <algorithm>
#include <cmath>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

constexpr size_t kRecent = 128;
// Fewer say nothing about a tail.
constexpr size_t kEnough = 20;
constexpr double kVeryLate = 4;

// Order statistic ceil(q * n), 1-based.
double Quantile(std::vector<double> values, double quantile) {
  const double rank = std::ceil(quantile * static_cast<double>(values.size()));
  const size_t index = std::min(values.size() - 1, static_cast<size_t>(std::max(rank, 1.0)) - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

}  // namespace

Hedging::Hedging(const HedgingOptions& options) : options_(options) {
  ABSL_RAW_CHECK(options.budget >= 0 && options.margin >= 1, "not a hedging budget");
}

void Hedging::Asked() { tokens_ = std::min(options_.burst, tokens_ + options_.budget); }

void Hedging::Answered(absl::Duration predicted, absl::Duration actual) {
  if (predicted <= absl::ZeroDuration()) return;
  const double ratio = absl::FDivDuration(actual, predicted);
  if (recent_.size() < kRecent) {
    recent_.push_back(ratio);
  } else {
    recent_[next_] = ratio;
    next_ = (next_ + 1) % kRecent;
  }
  late_ = std::max(options_.margin, Quantile(recent_, options_.quantile));
}

std::optional<absl::Duration> Hedging::LateAfter(absl::Duration predicted) const {
  if (tokens_ < 1 || recent_.size() < kEnough || predicted <= absl::ZeroDuration()) {
    return std::nullopt;
  }
  return predicted * late_ * (tokens_ < 1 + options_.reserve ? kVeryLate : 1);
}

void Hedging::Spend() {
  ABSL_RAW_CHECK(tokens_ >= 1, "a hedge beyond the budget");
  tokens_ -= 1;
}

}  // namespace distill
