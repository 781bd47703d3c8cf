// What a model sees of an example: a pure function of (example, view seed).
#ifndef DISTILLATION_DATA_VIEW_H_
#define DISTILLATION_DATA_VIEW_H_

#include <cstdint>
#include <span>

#include "proto/types.pb.h"

namespace distill {

// The shape of one example: images are [channels, height, width], rows [1, 1, n].
struct ExampleShape {
  int64_t channels = 1;
  int64_t height = 1;
  int64_t width = 1;
  int64_t values() const { return channels * height * width; }
};

// (x / scale - mean) / deviation.
struct Normalization {
  double scale = 1;
  double mean = 0;
  double deviation = 1;
};

// Writes the view of `pixels` to `out`, both of shape.values(). A view seed of 0 is
// the un-augmented view; otherwise the seed's bits decide whether to mirror
// left-right and how far to shift each way. What moves in is the pixel value 0.
// Thread-safe; the same on every machine.
void MakeView(std::span<const uint8_t> pixels, const ExampleShape& shape,
              const Normalization& normalization, const v1::ViewSpec& spec, uint64_t view_seed,
              std::span<float> out);
void MakeView(std::span<const float> values, const ExampleShape& shape,
              const Normalization& normalization, const v1::ViewSpec& spec, uint64_t view_seed,
              std::span<float> out);

}  // namespace distill

#endif  // DISTILLATION_DATA_VIEW_H_
