// IEEE 754 binary16 ("half") and bfloat16 (the upper half of a float32) in plain integer
// arithmetic: the same bits from every compiler and processor.
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

// The largest finite bfloat16.
inline constexpr float kMaxBFloat16 = 0x1.fep127f;

// The bfloat16 nearest to `value`, ties to even; infinite beyond 0x1.ffp127. A NaN stays a
// quiet NaN of the same sign.
uint16_t BFloat16FromFloat(float value);

// Exact: every bfloat16 is a float.
float FloatFromBFloat16(uint16_t bits);

}  // namespace distill

#endif  // DISTILLATION_LABELS_HALF_H_
