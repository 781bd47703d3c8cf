// A distance below the maximum of a row in 16 bits: 4 of exponent and 12 of fraction. A
// half spends a bit on a sign that distances do not have and another on sizes that mean
// nothing in a softmax; here both go to the fraction.
//
//   code < 4096: code * 2^-18; otherwise (4096 + code % 4096) * 2^(code / 4096 - 19)
//
// so that codes are in the order of their distances, from 0 to 511.9375 in steps that grow
// with the size. The decoded distance differs from s by at most max(2^-13 * s, 2^-19);
// larger ones become 511.9375, at T = 32 e^-16 of the mass of the top class.
//
// Why not a half: its error 2^-11 * s moves the probability of a class by up to 1e-4 where
// two classes share the mass, which is all that a gradient may be wrong by.
#ifndef DISTILLATION_LABELS_SHORT_DISTANCE_H_
#define DISTILLATION_LABELS_SHORT_DISTANCE_H_

#include <bit>
#include <cstdint>

namespace distill {

inline constexpr float kMaxShortDistance = 511.9375f;

// The nearest code, ties to even. `distance` >= 0, infinity too.
uint16_t ShortDistanceFrom(double distance);

// Exact: finite, >= 0, and a float. Without branches, for loops over many.
inline float DistanceFromShort(uint16_t code) {
  const int32_t bits = code << 11;
  // A code below 4096 lacks the leading one that the exponent of the next gives it: taken off
  // again, exactly.
  const int32_t lacking = -static_cast<int32_t>(bits < (1 << 23));
  const int32_t whole = bits + (120 << 23) + (lacking & (1 << 23));
  return std::bit_cast<float>(whole) -
         std::bit_cast<float>(lacking & std::bit_cast<int32_t>(0x1p-6f));
}

}  // namespace distill

#endif  // DISTILLATION_LABELS_SHORT_DISTANCE_H_
