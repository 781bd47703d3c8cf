#include "teacher_server/canary/deviation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

// Beyond, which class is whose is not searched for: that takes the square of them.
constexpr size_t kMostClassesCompared = 4096;

// Recorded and answered rows.
class Answers {
 public:
  Answers(std::span<const float> recorded, std::span<const float> answered, size_t classes)
      : recorded_(recorded), answered_(answered), classes_(classes) {
    for (size_t row = 0; row < rows(); ++row) {
      allowed_.push_back(AllowedDeviation(recorded.subspan(row * classes, classes)));
    }
  }

  size_t rows() const { return recorded_.size() / classes_; }
  size_t classes() const { return classes_; }
  double recorded(size_t row, size_t c) const { return recorded_[row * classes_ + c]; }
  double answered(size_t row, size_t c) const { return answered_[row * classes_ + c]; }
  double allowed(size_t row) const { return allowed_[row]; }

  bool Near(double answer, double record, size_t row) const {
    return std::abs(answer - record) <= allowed_[row];
  }
  // Whether answered row `row` is what is recorded for row `other`.
  bool IsRecorded(size_t row, size_t other) const {
    for (size_t c = 0; c < classes_; ++c) {
      if (!Near(answered(row, c), recorded(other, c), other)) return false;
    }
    return true;
  }
  bool SameAnswer(size_t row, size_t other) const {
    const auto begin = answered_.begin();
    return std::equal(begin + row * classes_, begin + (row + 1) * classes_,
                      begin + other * classes_);
  }
  bool SameRecord(size_t row, size_t other) const {
    for (size_t c = 0; c < classes_; ++c) {
      if (!Near(recorded(row, c), recorded(other, c), other)) return false;
    }
    return true;
  }
  bool IsConstant(size_t row) const {
    for (size_t c = 1; c < classes_; ++c) {
      if (answered(row, c) != answered(row, 0)) return false;
    }
    return true;
  }
  // Whether answered = factor * recorded + term everywhere, within what is allowed.
  bool Is(double factor, double term) const {
    const double widened = std::max(1.0, std::abs(factor));
    for (size_t row = 0; row < rows(); ++row) {
      for (size_t c = 0; c < classes_; ++c) {
        const double expected = factor * recorded(row, c) + term;
        if (!(std::abs(answered(row, c) - expected) <= widened * allowed_[row])) return false;
      }
    }
    return true;
  }

 private:
  const std::span<const float> recorded_;
  const std::span<const float> answered_;
  const size_t classes_;
  std::vector<double> allowed_;
};

bool AnyCopied(const Answers& answers) {
  for (size_t row = 0; row < answers.rows(); ++row) {
    for (size_t other = 0; other < row; ++other) {
      if (answers.SameAnswer(row, other) && !answers.SameRecord(row, other)) return true;
    }
  }
  return false;
}

bool OutOfOrder(const Answers& answers) {
  for (size_t row = 0; row < answers.rows(); ++row) {
    bool found = false;
    for (size_t other = 0; other < answers.rows() && !found; ++other) {
      found = answers.IsRecorded(row, other);
    }
    if (!found) return false;
  }
  return true;
}

// Whether all rows have in class `c` what is recorded for class `other`.
bool IsColumn(const Answers& answers, size_t c, size_t other) {
  for (size_t row = 0; row < answers.rows(); ++row) {
    if (!answers.Near(answers.answered(row, c), answers.recorded(row, other), row)) return false;
  }
  return true;
}

bool ClassesSwapped(const Answers& answers) {
  if (answers.classes() > kMostClassesCompared) return false;
  for (size_t c = 0; c < answers.classes(); ++c) {
    bool found = IsColumn(answers, c, c);
    for (size_t other = 0; other < answers.classes() && !found; ++other) {
      found = IsColumn(answers, c, other);
    }
    if (!found) return false;
  }
  return true;
}

// The least squares' factor, and the mean difference.
std::pair<double, double> FactorAndTerm(const Answers& answers) {
  double product = 0;
  double square = 0;
  double difference = 0;
  for (size_t row = 0; row < answers.rows(); ++row) {
    for (size_t c = 0; c < answers.classes(); ++c) {
      const double record = answers.recorded(row, c);
      const double answer = answers.answered(row, c);
      product += record * answer;
      square += record * record;
      difference += answer - record;
    }
  }
  const double count = static_cast<double>(answers.rows() * answers.classes());
  return {square > 0 ? product / square : 0, difference / count};
}

void Explain(const Answers& answers, Deviation& deviation) {
  const auto is = [&](DeviationKind kind, double amount = 0) {
    deviation.kind = kind;
    deviation.amount = amount;
  };
  const auto row = static_cast<size_t>(deviation.row);
  if (!std::isfinite(answers.answered(row, static_cast<size_t>(deviation.at_class)))) {
    return is(DeviationKind::kNotFinite);
  }
  if (answers.classes() > 1 && answers.IsConstant(row)) {
    return is(DeviationKind::kConstant);
  }
  if (AnyCopied(answers)) return is(DeviationKind::kDuplicated);
  if (OutOfOrder(answers)) return is(DeviationKind::kOutOfOrder);
  if (ClassesSwapped(answers)) return is(DeviationKind::kClassesSwapped);
  const auto [factor, term] = FactorAndTerm(answers);
  if (answers.Is(factor, 0)) return is(DeviationKind::kScaled, factor);
  if (answers.Is(1, term)) return is(DeviationKind::kShifted, term);
  is(DeviationKind::kOther);
}

}  // namespace

const char* DeviationKindName(DeviationKind kind) {
  switch (kind) {
    case DeviationKind::kNone:
      return "none";
    case DeviationKind::kNotFinite:
      return "not finite";
    case DeviationKind::kConstant:
      return "constant rows";
    case DeviationKind::kDuplicated:
      return "duplicated rows";
    case DeviationKind::kOutOfOrder:
      return "rows out of order";
    case DeviationKind::kClassesSwapped:
      return "classes swapped";
    case DeviationKind::kScaled:
      return "scaled";
    case DeviationKind::kShifted:
      return "shifted";
    case DeviationKind::kOther:
      return "the answers of other weights or other examples";
  }
  return "unknown";
}

double AllowedDeviation(std::span<const float> row) {
  const auto [low, high] = std::minmax_element(row.begin(), row.end());
  const double least = *low;
  const double most = *high;
  return kDeviationOfSpread * (most - least) +
         kDeviationOfSize * std::max(std::abs(least), std::abs(most));
}

Deviation FindDeviation(std::span<const float> recorded, std::span<const float> answered,
                        int64_t classes) {
  ABSL_RAW_CHECK(classes > 0 && recorded.size() == answered.size() &&
                     recorded.size() % static_cast<size_t>(classes) == 0,
                 "answers and records of different shapes");
  const Answers answers(recorded, answered, static_cast<size_t>(classes));
  Deviation deviation;
  for (size_t row = 0; row < answers.rows(); ++row) {
    bool off = false;
    for (size_t c = 0; c < answers.classes(); ++c) {
      const double error = std::abs(answers.answered(row, c) - answers.recorded(row, c));
      if (error == 0) continue;
      double ratio = error / answers.allowed(row);
      if (!std::isfinite(ratio)) ratio = std::numeric_limits<double>::infinity();
      off = off || ratio > 1;
      if (ratio <= deviation.worst) continue;
      deviation.worst = ratio;
      deviation.row = static_cast<int64_t>(row);
      deviation.at_class = static_cast<int64_t>(c);
      deviation.allowed = answers.allowed(row);
    }
    deviation.rows_off += off ? 1 : 0;
  }
  if (deviation.worst > 1) Explain(answers, deviation);
  return deviation;
}

}  // namespace distill
