#include "teacher_server/batching/cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "teacher_server/batching/shape_bucket.h"

namespace distill {
namespace {

// Weight of the newest batch in the moving averages.
constexpr double kNewest = 0.2;

int SizeClass(int64_t examples) {
  return std::bit_width(static_cast<uint64_t>(std::max<int64_t>(examples, 1)));
}

}  // namespace

void CostModel::Observe(int bucket, int64_t examples, absl::Duration compute) {
  const Point seen{static_cast<double>(examples), absl::ToDoubleSeconds(compute)};
  const absl::Duration said = Predict(bucket, examples);
  const auto [at, first] = curves_[bucket].try_emplace(SizeClass(examples), seen);
  if (first) return;
  if (std::exchange(at->second.first, false)) {
    at->second = {seen.examples, seen.seconds, false};
    return;
  }
  // One stall is no reason to refuse everything.
  const double off =
      said > absl::ZeroDuration() ? std::abs(absl::FDivDuration(compute, said) - 1) : 0;
  scatter_ += kNewest * (std::min(off, 1.0) - scatter_);
  at->second.examples += kNewest * (seen.examples - at->second.examples);
  at->second.seconds += kNewest * (seen.seconds - at->second.seconds);
}

// Seconds of a batch of so many examples.
double CostModel::Read(const Curve& curve, double examples, Bound bound) {
  auto above = std::find_if(curve.begin(), curve.end(),
                            [&](const auto& point) { return point.second.examples >= examples; });
  const bool outside = above == curve.begin() || above == curve.end();
  const Point& nearest = above == curve.end() ? curve.rbegin()->second : above->second;
  const double in_proportion = nearest.seconds * examples / nearest.examples;
  if (curve.size() == 1) {
    return bound == Bound::kLongest ? std::max(nearest.seconds, in_proportion)
                                    : std::min(nearest.seconds, in_proportion);
  }
  if (above == curve.begin()) ++above;
  if (above == curve.end()) --above;
  const Point& high = above->second;
  const Point& low = std::prev(above)->second;
  const double line = low.seconds + (high.seconds - low.seconds) * (examples - low.examples) /
                                        (high.examples - low.examples);
  if (!outside) return line;
  const auto [least, most] = std::minmax(nearest.seconds, in_proportion);
  return std::clamp(line, least, most);
}

absl::Duration CostModel::Estimate(int bucket, int64_t examples, Bound bound) const {
  if (curves_.empty()) return absl::ZeroDuration();
  const double count = static_cast<double>(std::max<int64_t>(examples, 1));
  auto curve = curves_.lower_bound(bucket);
  if (curve == curves_.end()) --curve;
  double scale = 1;
  if (curve->first != bucket) {
    // Another bucket's, in proportion to the length where that is the bound.
    const double ratio =
        static_cast<double>(BucketLength(bucket)) / static_cast<double>(BucketLength(curve->first));
    scale = bound == Bound::kLongest ? std::max(1.0, ratio) : std::min(1.0, ratio);
  }
  return absl::Seconds(scale * Read(curve->second, count, bound));
}

absl::Duration CostModel::Predict(int bucket, int64_t examples) const {
  return Estimate(bucket, examples, Bound::kLongest);
}

absl::Duration CostModel::AtLeast(int bucket, int64_t examples) const {
  return Estimate(bucket, examples, Bound::kShortest);
}

absl::Duration CostModel::BestPerUnit(int64_t examples) const {
  if (curves_.empty()) return absl::ZeroDuration();
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [bucket, curve] : curves_) {
    const double units = static_cast<double>(examples * BucketLength(bucket));
    best = std::min(best, Read(curve, static_cast<double>(examples), Bound::kShortest) / units);
  }
  return absl::Seconds(best);
}

}  // namespace distill
