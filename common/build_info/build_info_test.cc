#include "common/build_info/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::MatchesRegex;

TEST(BuildInfo, ATestIsNotStampedSoThatItsResultIsKept) { EXPECT_STREQ(BuildCommit(), "unknown"); }

TEST(BuildInfo, NamesTheCompilerWithItsVersion) {
  EXPECT_THAT(BuildCompiler(), MatchesRegex("(g\\+\\+|clang) [0-9]+\\..*"));
}

TEST(BuildInfo, NamesFeaturesOfThisProcessorOnce) {
  const std::vector<std::string> features = CpuFeatures();
  for (size_t i = 0; i < features.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(features[i], features[j]);
  }
}

}  // namespace
}  // namespace distill
