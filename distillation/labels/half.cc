#include "distillation/labels/half.h"

#include <bit>

namespace distill {
namespace {

// `value` / 2^shift, nearest, ties to even. shift in [1, 31].
uint32_t ShiftRightToEven(uint32_t value, uint32_t shift) {
  const uint32_t kept = value >> shift;
  const uint32_t dropped = value & ((1u << shift) - 1);
  const uint32_t tie = 1u << (shift - 1);
  return kept + (dropped > tie || (dropped == tie && (kept & 1u)) ? 1 : 0);
}

}  // namespace

uint16_t HalfFromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t exponent = (bits >> 23) & 0xffu;
  const uint32_t fraction = bits & 0x7fffffu;
  if (exponent == 0xff) {
    return static_cast<uint16_t>(sign | 0x7c00u | (fraction ? 0x200u | (fraction >> 13) : 0u));
  }
  // 113 is the float exponent of 2^-14, the smallest normal half.
  if (exponent >= 113) {
    if (exponent > 142) return static_cast<uint16_t>(sign | 0x7c00u);
    // A carry out of the fraction rightly raises the exponent, at the top to infinity.
    const uint32_t rebiased = ((exponent - 112) << 23) | fraction;
    return static_cast<uint16_t>(sign | ShiftRightToEven(rebiased, 13));
  }
  // Subnormal: units of 2^-24. Below 2^-25 everything is zero.
  if (exponent < 102) return static_cast<uint16_t>(sign);
  return static_cast<uint16_t>(sign | ShiftRightToEven(fraction | 0x800000u, 126 - exponent));
}

float FloatFromHalf(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

uint16_t BFloat16FromFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  // Rounding could carry the fraction of a NaN away.
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>(ShiftRightToEven(bits, 16));
}

float FloatFromBFloat16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

}  // namespace distill
