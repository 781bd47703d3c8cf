#include "teacher_server/runner/faulty_runner.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

namespace distill {
namespace {

using Fault = FaultyRunner::Fault;

float SpreadOf(std::span<const float> row) {
  const auto [low, high] = std::minmax_element(row.begin(), row.end());
  return *high - *low;
}

void SpoilRow(Fault fault, std::span<float> row) {
  const float spread = SpreadOf(row);
  for (size_t c = 0; c < row.size(); ++c) {
    if (fault == Fault::kConstant) row[c] = row[0];
    if (fault == Fault::kUniform) row[c] = 0;
    if (fault == Fault::kScaled) row[c] *= 1.02f;
    if (fault == Fault::kWrongWeights) {
      row[c] += 0.02f * spread * std::sin(static_cast<float>(7 * c + 1));
    }
  }
  if (fault == Fault::kClassesSwapped) std::swap(row[0], row[1]);
  if (fault == Fault::kBiased) row.back() += 0.01f * spread;
}

// [rows, classes], of one row at least.
void SpoilRows(Fault fault, std::span<const float> last, size_t classes,
               std::vector<float>& values) {
  const auto row = [&](size_t number) { return values.begin() + number * classes; };
  const size_t rows = values.size() / classes;
  if (fault == Fault::kNan) values.back() = std::numeric_limits<float>::quiet_NaN();
  if (fault == Fault::kInfinite) values.back() = std::numeric_limits<float>::infinity();
  if (fault == Fault::kDuplicated) {
    for (size_t i = 1; i < rows; i += 2) std::copy_n(row(i - 1), classes, row(i));
  }
  if (fault == Fault::kPermuted) std::rotate(row(0), row(rows - 1), values.end());
  if (fault == Fault::kStale) {
    for (size_t i = 0; i < values.size() && !last.empty(); ++i) values[i] = last[i % last.size()];
  }
  for (size_t i = 0; i < rows; ++i)
    SpoilRow(fault, std::span(values).subspan(i * classes, classes));
}

}  // namespace

std::vector<Fault> FaultyRunner::AllFaults() {
  return {Fault::kNan,        Fault::kInfinite, Fault::kConstant,    Fault::kUniform,
          Fault::kDuplicated, Fault::kPermuted, Fault::kScaled,      Fault::kClassesSwapped,
          Fault::kBiased,     Fault::kStale,    Fault::kWrongWeights};
}

const char* FaultyRunner::Name(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "none";
    case Fault::kNan:
      return "nan";
    case Fault::kInfinite:
      return "infinite";
    case Fault::kConstant:
      return "constant";
    case Fault::kUniform:
      return "uniform";
    case Fault::kDuplicated:
      return "duplicated";
    case Fault::kPermuted:
      return "permuted";
    case Fault::kScaled:
      return "scaled";
    case Fault::kClassesSwapped:
      return "classes swapped";
    case Fault::kBiased:
      return "biased";
    case Fault::kStale:
      return "stale";
    case Fault::kWrongWeights:
      return "wrong weights";
  }
  return "unknown";
}

FaultyRunner::FaultyRunner(std::shared_ptr<Runner> runner) : runner_(std::move(runner)) {}

FaultyRunner::~FaultyRunner() = default;

void FaultyRunner::Inject(Fault fault) {
  absl::MutexLock lock(&mu_);
  fault_ = fault;
}

void FaultyRunner::Start(InferenceBatch batch, Done done) {
  runner_->Start(std::move(batch),
                 [this, done = std::move(done)](absl::StatusOr<InferenceResult> result) {
                   if (result.ok()) Spoil(*result);
                   done(std::move(result));
                 });
}

void FaultyRunner::Spoil(InferenceResult& result) {
  absl::MutexLock lock(&mu_);
  const std::vector<TensorView> before = std::exchange(last_, result.outputs);
  for (size_t i = 0; i < result.outputs.size() && fault_ != Fault::kNone; ++i) {
    TensorView& output = result.outputs[i];
    const std::span<const float> sound = output.as<float>();
    std::vector<float> values(sound.begin(), sound.end());
    std::span<const float> last;
    if (i < before.size()) last = before[i].as<float>();
    SpoilRows(fault_, last, static_cast<size_t>(output.dims.back()), values);
    output = MakeTensorView(ElementType::kFloat32, output.dims, std::move(values));
  }
}

}  // namespace distill
