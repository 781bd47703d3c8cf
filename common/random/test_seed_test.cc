#include "common/random/test_seed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class TestSeedTest : public ::testing::Test {
 protected:
  void SetUp() override { unsetenv("DISTILL_TEST_SEED"); }
  void TearDown() override { unsetenv("DISTILL_TEST_SEED"); }
};

TEST_F(TestSeedTest, PrintsHowToRepeatTheTest) {
  ::testing::internal::CaptureStderr();
  const uint64_t seed = TestSeed();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr(absl::StrCat("--test_env=DISTILL_TEST_SEED=", seed, "\n")));
}

TEST_F(TestSeedTest, TakesTheSeedOfTheEnvironment) {
  setenv("DISTILL_TEST_SEED", "18446744073709551615", 1);
  EXPECT_EQ(TestSeed(), 18446744073709551615u);
}

TEST_F(TestSeedTest, IsFreshOtherwise) { EXPECT_NE(TestSeed(), TestSeed()); }

using TestSeedDeathTest = TestSeedTest;

TEST_F(TestSeedDeathTest, CrashesForASeedThatIsNoNumber) {
  setenv("DISTILL_TEST_SEED", "12x", 1);
  EXPECT_DEATH(TestSeed(), "not a 64-bit number");
}

}  // namespace
}  // namespace distill
