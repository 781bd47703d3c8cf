#include "distillation/labels/short_distance.h"

#include <algorithm>
#include <cmath>

namespace distill {

uint16_t ShortDistanceFrom(double distance) {
  if (distance >= kMaxShortDistance) return 0xffff;
  const double units = distance * 0x1p18;
  // Above 2^13 units one bit is dropped for each doubling. A fraction that is rounded up
  // to its end rightly carries into the exponent.
  const int drop = units < 8192 ? 0 : std::ilogb(units) - 12;
  return static_cast<uint16_t>(drop * 4096 + std::nearbyint(std::ldexp(units, -drop)));
}

float DistanceFromShort(uint16_t code) {
  const int drop = std::max(0, (code >> 12) - 1);
  // At most 13 bits times a power of two.
  return static_cast<float>((code - drop * 4096) * (1 << drop)) * 0x1p-18f;
}

}  // namespace distill
