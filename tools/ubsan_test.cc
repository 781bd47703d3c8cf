// Under --config=asan: undefined behavior ends the test that has it. Nothing elsewhere.
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

namespace {

#ifdef __SANITIZE_ADDRESS__

class UbsanDeathTest : public testing::Test {
 protected:
  UbsanDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(UbsanDeathTest, AnOverflowEndsTheProcess) {
  volatile int most = INT_MAX;
  EXPECT_EXIT(
      {
        most = most + 1;
        std::exit(0);
      },
      testing::ExitedWithCode(1), "signed integer overflow");
}

TEST_F(UbsanDeathTest, ANullPointerWhereNoneMayBeEndsTheProcess) {
  const std::vector<char> none;
  char copy[1];
  EXPECT_EXIT(
      {
        std::memcpy(copy, none.data(), none.size());
        std::exit(0);
      },
      testing::ExitedWithCode(1), "null pointer");
}

#endif  // __SANITIZE_ADDRESS__

}  // namespace
