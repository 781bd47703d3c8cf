#include "distillation/data/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

constexpr ExampleShape kShape = {1, 2, 3};
const std::vector<uint8_t> kPixels = {1, 2, 3, 4, 5, 6};

std::vector<float> View(const v1::ViewSpec& spec, uint64_t seed,
                        const Normalization& normalization = {}) {
  std::vector<float> out(kPixels.size());
  MakeView(kPixels, kShape, normalization, spec, seed, out);
  return out;
}

v1::ViewSpec Flip() {
  v1::ViewSpec spec;
  spec.set_horizontal_flip(true);
  return spec;
}

TEST(View, SeedZeroIsThePlainExampleWhateverTheSpec) {
  v1::ViewSpec spec = Flip();
  spec.set_max_shift_pixels(2);
  EXPECT_THAT(View(spec, 0), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(View, ValuesAreNormalised) {
  // (1 / 255 - 0.5) / 0.25
  EXPECT_THAT(View({}, 0, {255, 0.5, 0.25})[0], FloatEq((1.0f / 255 - 0.5f) / 0.25f));
}

TEST(View, AFlipMirrorsEachRowForAboutHalfOfTheSeeds) {
  int flipped = 0;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const std::vector<float> view = View(Flip(), seed);
    if (view[0] == 1) {
      EXPECT_THAT(view, ElementsAre(1, 2, 3, 4, 5, 6));
    } else {
      EXPECT_THAT(view, ElementsAre(3, 2, 1, 6, 5, 4));
      ++flipped;
    }
  }
  EXPECT_GT(flipped, 400);
  EXPECT_LT(flipped, 600);
}

TEST(View, AShiftMovesZerosInAndReachesEveryPlace) {
  v1::ViewSpec spec;
  spec.set_max_shift_pixels(1);
  std::set<std::vector<float>> seen;
  for (uint64_t seed = 1; seed <= 500; ++seed) seen.insert(View(spec, seed));
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_TRUE(seen.contains({0, 0, 0, 0, 1, 2}));  // down and right
  EXPECT_TRUE(seen.contains({5, 6, 0, 0, 0, 0}));  // up and left
}

TEST(View, IsAFunctionOfItsSeed) {
  v1::ViewSpec spec = Flip();
  spec.set_max_shift_pixels(1);
  for (uint64_t seed = 1; seed <= 50; ++seed) EXPECT_EQ(View(spec, seed), View(spec, seed));
}

}  // namespace
}  // namespace distill
