// How far a model's answers are from those recorded with it, and what that looks like.
#ifndef TEACHER_SERVER_CANARY_DEVIATION_H_
#define TEACHER_SERVER_CANARY_DEVIATION_H_

#include <cstdint>
#include <span>
#include <string>

namespace distill {

// A logit may differ by kDeviationOfSpread of its row's spread (largest less smallest
// logit) and kDeviationOfSize of its largest absolute logit. Float32 at another batch size
// or instruction set is off by about 1e-6 of the logits' size, another device (TF32 rounds
// products to 2^-11) by up to 1e-4: a tenth of it. What passes is harmless: at a spread of
// 20 nats it moves a logit by 0.02, and the labels by a divergence of at most half the
// square of that, 2e-4 nats. docs/decisions/0013 has the derivation.
inline constexpr double kDeviationOfSpread = 1e-3;
inline constexpr double kDeviationOfSize = 1e-5;

// The first of these that explains everything that is off.
enum class DeviationKind {
  kNone,
  kNotFinite,
  // A row holds one value only.
  kConstant,
  // Rows are copies of one another where those recorded differ.
  kDuplicated,
  // Each row is the one recorded for another example.
  kOutOfOrder,
  // Columns are those recorded for other classes.
  kClassesSwapped,
  // One factor for all.
  kScaled,
  // One term for all.
  kShifted,
  kOther,
};
// "rows out of order".
const char* DeviationKindName(DeviationKind kind);

struct Deviation {
  DeviationKind kind = DeviationKind::kNone;
  // The largest deviation over what is allowed there: above 1, something is wrong. Infinite
  // where an answer is not finite.
  double worst = 0;
  // Where that is, and what is allowed there.
  int64_t row = 0;
  int64_t at_class = 0;
  double allowed = 0;
  int64_t rows_off = 0;
  // The factor or the term.
  double amount = 0;
};

// What a logit of this recorded row may differ by.
double AllowedDeviation(std::span<const float> row);

// Both [rows, classes], row-major, of one size that `classes` divides; crashes otherwise. The
// recorded are finite. Pure; takes longer to explain than to find: rows^2 * classes.
Deviation FindDeviation(std::span<const float> recorded, std::span<const float> answered,
                        int64_t classes);

}  // namespace distill

#endif  // TEACHER_SERVER_CANARY_DEVIATION_H_
