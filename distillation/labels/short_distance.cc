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

}  // namespace distill
