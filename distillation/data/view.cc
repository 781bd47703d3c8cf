#include "distillation/data/view.h"

#include "absl/base/internal/raw_logging.h"
#include "common/random/random.h"

namespace distill {
namespace {

// Streams of a view seed.
enum Draw : uint64_t { kFlip = 0, kShiftDown = 1, kShiftRight = 2 };

int64_t DrawShift(uint64_t view_seed, Draw draw, uint32_t most) {
  return static_cast<int64_t>(UniformBelow(view_seed, draw, 0, 2 * uint64_t{most} + 1)) - most;
}

template <typename T>
void MakeViewOf(std::span<const T> pixels, const ExampleShape& shape,
                const Normalization& normalization, const v1::ViewSpec& spec, uint64_t view_seed,
                std::span<float> out) {
  const auto values = static_cast<size_t>(shape.values());
  ABSL_RAW_CHECK(pixels.size() == values && out.size() == values, "a view of another shape");
  const bool augment = view_seed != 0;
  const bool flip = augment && spec.horizontal_flip() && (Mix(view_seed, kFlip, 0) & 1) != 0;
  const uint32_t most = augment ? spec.max_shift_pixels() : 0;
  const int64_t down = most == 0 ? 0 : DrawShift(view_seed, kShiftDown, most);
  const int64_t right = most == 0 ? 0 : DrawShift(view_seed, kShiftRight, most);
  const auto factor = static_cast<float>(1 / (normalization.scale * normalization.deviation));
  const auto offset = static_cast<float>(normalization.mean / normalization.deviation);
  if (!flip && down == 0 && right == 0) {
    // As it is: without a question for each pixel the compiler does several at once.
    for (size_t i = 0; i < values; ++i) out[i] = static_cast<float>(pixels[i]) * factor - offset;
    return;
  }
  size_t at = 0;
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t y = 0; y < shape.height; ++y) {
      for (int64_t x = 0; x < shape.width; ++x) {
        const int64_t from_y = y - down;
        const int64_t shifted = x - right;
        const int64_t from_x = flip ? shape.width - 1 - shifted : shifted;
        const bool inside =
            from_y >= 0 && from_y < shape.height && from_x >= 0 && from_x < shape.width;
        const T pixel = inside ? pixels[(c * shape.height + from_y) * shape.width + from_x] : T{0};
        out[at++] = static_cast<float>(pixel) * factor - offset;
      }
    }
  }
}

}  // namespace

void MakeView(std::span<const uint8_t> pixels, const ExampleShape& shape,
              const Normalization& normalization, const v1::ViewSpec& spec, uint64_t view_seed,
              std::span<float> out) {
  MakeViewOf(pixels, shape, normalization, spec, view_seed, out);
}

void MakeView(std::span<const float> values, const ExampleShape& shape,
              const Normalization& normalization, const v1::ViewSpec& spec, uint64_t view_seed,
              std::span<float> out) {
  MakeViewOf(values, shape, normalization, spec, view_seed, out);
}

}  // namespace distill
