// The inner loops of the dense codecs (dense_codecs.h): codes of distances below the maximum of
// a row to float32 values. They are for every value of every label, so there is a second way
// for processors with AVX2 and F16C, chosen when the process runs; both give the same bits.
#ifndef DISTILLATION_LABELS_DISTANCE_ROWS_H_
#define DISTILLATION_LABELS_DISTANCE_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace distill {

// How a distance is written.
enum class DistanceCode {
  kHalf,      // binary16, little-endian; the sign of zero is free, that of all others is set
  kBFloat16,  // bfloat16 likewise
  kSteps,     // uint8, steps of `step`
};

inline constexpr size_t CodeBytes(DistanceCode code) {
  return code == DistanceCode::kSteps ? 1 : 2;
}

// Whether an encoder writes the code: finite, and with its sign.
bool IsDistanceCode(DistanceCode kind, uint32_t code);

// values[c] = max(maximum - distance of the code c, the lowest float), for codes of
// values.size() * CodeBytes(kind) bytes at any address. False where a code is none that an
// encoder writes; then the values are unspecified. `step` is for kSteps. Crashes where the sizes
// do not fit.
bool DecodeDistances(DistanceCode kind, std::span<const std::byte> codes, float maximum, float step,
                     std::span<float> values);

// The same without the processor's help: for tests, and for other processors.
bool DecodeDistancesPortably(DistanceCode kind, std::span<const std::byte> codes, float maximum,
                             float step, std::span<float> values);

}  // namespace distill

#endif  // DISTILLATION_LABELS_DISTANCE_ROWS_H_
