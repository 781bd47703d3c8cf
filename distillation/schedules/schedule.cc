#include "distillation/schedules/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using Piece = v1::Schedule::Piece;

double StepShape(const v1::Schedule::Step& shape, int64_t steps_in) {
  const int64_t drops = steps_in / shape.every_steps();
  const double value = shape.from() * std::pow(shape.factor(), static_cast<double>(drops));
  return shape.has_floor() ? std::max(value, shape.floor()) : value;
}

// The ends are returned as written: rounding must not leave a weight just above 1.
template <typename Shape, typename Inner>
double Between(const Shape& shape, double s, Inner inner) {
  if (s <= 0) return shape.from();
  if (s >= 1) return shape.to();
  const double from = shape.from();
  const double to = shape.to();
  return std::clamp(inner(from, to), std::min(from, to), std::max(from, to));
}

// The value at a step clipped into [begin, end].
double PieceValue(const Piece& piece, int64_t step) {
  const int64_t clipped = std::clamp(step, piece.begin_step(), piece.end_step());
  const int64_t steps_in = clipped - piece.begin_step();
  const int64_t length = piece.end_step() - piece.begin_step();
  const double s = length > 0 ? static_cast<double>(steps_in) / static_cast<double>(length)
                              : (step >= piece.begin_step() ? 1.0 : 0.0);
  switch (piece.shape_case()) {
    case Piece::kConstant:
      return piece.constant().value();
    case Piece::kLinear:
      return Between(piece.linear(), s, [s](double a, double b) { return a + (b - a) * s; });
    case Piece::kCosine:
      return Between(piece.cosine(), s, [s](double a, double b) {
        return b + (a - b) * (1 + std::cos(std::numbers::pi * s)) / 2;
      });
    case Piece::kExponential:
      return Between(piece.exponential(), s,
                     [s](double a, double b) { return a * std::pow(b / a, s); });
    case Piece::kStep:
      return StepShape(piece.step(), steps_in);
    case Piece::kPolynomial:
      return Between(piece.polynomial(), s, [&](double a, double b) {
        return a + (b - a) * (1 - std::pow(1 - s, piece.polynomial().power()));
      });
    case Piece::SHAPE_NOT_SET:
      break;  // refused by Create
  }
  return 0;
}

class Checker {
 public:
  Checker(ScheduleKind kind, std::vector<FieldProblem>* problems)
      : kind_(kind), problems_(problems) {}

  void CheckPiece(const Piece& piece, const std::string& path) {
    if (piece.begin_step() < 0) {
      Add(path + ".begin_step", absl::StrCat("is ", piece.begin_step(), "; steps count from 0"));
    }
    if (piece.end_step() < piece.begin_step()) {
      Add(path + ".end_step", absl::StrCat("is ", piece.end_step(), ", before begin_step ",
                                           piece.begin_step(), "; give a later step"));
      return;
    }
    switch (piece.shape_case()) {
      case Piece::kConstant:
        return CheckValue(piece.constant().value(), path + ".constant.value");
      case Piece::kLinear:
        return CheckEnds(piece.linear(), path + ".linear");
      case Piece::kCosine:
        return CheckEnds(piece.cosine(), path + ".cosine");
      case Piece::kExponential:
        return CheckExponential(piece.exponential(), path + ".exponential");
      case Piece::kStep:
        return CheckStep(piece, path + ".step");
      case Piece::kPolynomial:
        CheckPositive(piece.polynomial().power(), path + ".polynomial.power");
        return CheckEnds(piece.polynomial(), path + ".polynomial");
      case Piece::SHAPE_NOT_SET:
        return Add(path,
                   "has no shape; give one of constant, linear, cosine, exponential, step, "
                   "polynomial");
    }
  }

  void Add(std::string path, std::string message) {
    problems_->push_back({std::move(path), std::move(message)});
  }

 private:
  template <typename Shape>
  void CheckEnds(const Shape& shape, const std::string& path) {
    CheckValue(shape.from(), path + ".from");
    CheckValue(shape.to(), path + ".to");
  }

  void CheckExponential(const v1::Schedule::Exponential& shape, const std::string& path) {
    CheckEnds(shape, path);
    // Negated, so that a NaN fails too.
    if (!(shape.from() * shape.to() > 0) || !std::isfinite(shape.to() / shape.from())) {
      Add(path, absl::StrCat("goes from ", shape.from(), " to ", shape.to(),
                             "; both must be of one sign and not zero (use linear to reach 0)"));
    }
  }

  void CheckStep(const Piece& piece, const std::string& path) {
    const v1::Schedule::Step& shape = piece.step();
    const size_t before = problems_->size();
    CheckValue(shape.from(), path + ".from");
    CheckPositive(shape.factor(), path + ".factor");
    if (shape.has_floor()) CheckValue(shape.floor(), path + ".floor");
    if (shape.every_steps() < 1) {
      Add(path + ".every_steps",
          absl::StrCat("is ", shape.every_steps(), "; at least 1 is needed"));
    }
    if (problems_->size() > before) return;
    const double last = PieceValue(piece, piece.end_step());
    if (!InRange(last)) {
      Add(path, absl::StrCat("reaches ", last, " at step ", piece.end_step(), "; it must be ",
                             Range(), " (set floor, or end the piece earlier)"));
    }
  }

  void CheckPositive(double value, std::string path) {
    if (std::isfinite(value) && value > 0) return;
    Add(std::move(path), absl::StrCat("is ", value, "; it must be finite and above 0"));
  }

  void CheckValue(double value, std::string path) {
    if (InRange(value)) return;
    Add(std::move(path), absl::StrCat("is ", value, "; ", Name(), " must be ", Range()));
  }

  bool InRange(double value) const {
    if (!std::isfinite(value)) return false;
    switch (kind_) {
      case ScheduleKind::kTemperature:
        return value > 0;
      case ScheduleKind::kMixWeight:
        return value >= 0 && value <= 1;
      case ScheduleKind::kTermWeight:
      case ScheduleKind::kLearningRate:
        return value >= 0;
    }
    return false;
  }

  const char* Name() const {
    switch (kind_) {
      case ScheduleKind::kTemperature:
        return "a temperature";
      case ScheduleKind::kLearningRate:
        return "a learning rate";
      default:
        return "a weight";
    }
  }

  const char* Range() const {
    switch (kind_) {
      case ScheduleKind::kTemperature:
        return "finite and above 0";
      case ScheduleKind::kMixWeight:
        return "from 0 to 1";
      default:
        return "finite and not below 0";
    }
  }

  const ScheduleKind kind_;
  std::vector<FieldProblem>* const problems_;
};

}  // namespace

std::vector<FieldProblem> FindScheduleProblems(const v1::Schedule& schedule, ScheduleKind kind) {
  std::vector<FieldProblem> problems;
  Checker checker(kind, &problems);
  const int pieces = schedule.pieces_size();
  if (pieces < 1 || pieces > kMaxSchedulePieces) {
    checker.Add("pieces",
                absl::StrCat("has ", pieces, " entries; give from 1 to ", kMaxSchedulePieces));
    return problems;
  }
  for (int i = 0; i < pieces; ++i) {
    const std::string path = absl::StrCat("pieces[", i, "]");
    checker.CheckPiece(schedule.pieces(i), path);
    if (i > 0 && schedule.pieces(i).begin_step() < schedule.pieces(i - 1).end_step()) {
      checker.Add(
          path + ".begin_step",
          absl::StrCat("is ", schedule.pieces(i).begin_step(), ", before the piece above ends at ",
                       schedule.pieces(i - 1).end_step(), "; pieces must not overlap"));
    }
  }
  return problems;
}

absl::StatusOr<ScheduleFunction> ScheduleFunction::Create(const v1::Schedule& schedule,
                                                          ScheduleKind kind) {
  const absl::Status status = ProblemsToStatus(FindScheduleProblems(schedule, kind), {});
  if (!status.ok()) return status;
  return ScheduleFunction(schedule);
}

double ScheduleFunction::At(int64_t step) const {
  // The last piece that has begun; before the first one, the first.
  int i = schedule_.pieces_size() - 1;
  while (i > 0 && schedule_.pieces(i).begin_step() > step) --i;
  return PieceValue(schedule_.pieces(i), step);
}

std::pair<double, double> ScheduleFunction::Bounds(int64_t steps) const {
  // Monotone between the steps at which a piece begins or ends.
  const int64_t last = std::max<int64_t>(1, steps) - 1;
  std::vector<int64_t> corners = {0, last};
  for (const v1::Schedule::Piece& piece : schedule_.pieces()) {
    for (const int64_t step : {piece.begin_step(), piece.end_step()}) {
      for (const int64_t corner : {step - 1, step}) {
        if (corner > 0 && corner < last) corners.push_back(corner);
      }
    }
  }
  std::pair<double, double> bounds = {At(0), At(0)};
  for (const int64_t step : corners) {
    bounds.first = std::min(bounds.first, At(step));
    bounds.second = std::max(bounds.second, At(step));
  }
  return bounds;
}

}  // namespace distill
