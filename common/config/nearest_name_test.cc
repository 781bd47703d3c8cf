#include "common/config/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace distill {
namespace {

TEST(EditDistance, CountsEditsAndSwaps) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("tsep", "step"), 1);
}

TEST(NearestName, FindsAMisspeltNameAndNothingFarOff) {
  const std::vector<std::string> known = {"steps", "training", "world_size"};
  EXPECT_EQ(NearestName("step", known), "steps");
  EXPECT_EQ(NearestName("Trainign", known), "training");
  EXPECT_EQ(NearestName("worldSize", known), "world_size");
  EXPECT_EQ(NearestName("colour", known), "");
  EXPECT_EQ(NearestName(std::string(1000, 's'), known), "");
}

TEST(SuggestName, ListsTheKnownWhereNoneIsNear) {
  const std::vector<std::string> known = {"mlp", "conv_net"};
  EXPECT_EQ(SuggestName("convnet", known), "; did you mean conv_net?");
  EXPECT_EQ(SuggestName("transformer", known), "; known are: mlp, conv_net");
  EXPECT_EQ(SuggestName("x", {}), "");
}

}  // namespace
}  // namespace distill
