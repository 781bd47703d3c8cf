// IEEE 754 binary16 ("half") in plain integer arithmetic: the same bits from every
// compiler and processor.
#ifndef DISTILLATION_LABELS_HALF_H_
#define DISTILLATION_LABELS_HALF_H_

#include <cstdint>

namespace distill {

// The largest finite half.
inline constexpr float kMaxHalf = 65504.0f;

// The half nearest to `value`, ties to even; infinite from 65520 on. A NaN stays a
// quiet NaN of the same sign.
uint16_t HalfFromFloat(float value);

// Exact: every half is a float.
float FloatFromHalf(uint16_t half);

}  // namespace distill

#endif  // DISTILLATION_LABELS_HALF_H_
