#include "common/lifecycle/ready_notice.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace distill {
namespace {

TEST(ReadyNotice, WritesOneLineAndClosesThePipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_TRUE(NotifyReady(ends[1], "ready").ok());
  char buffer[16];
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 6);
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 0);
  close(ends[0]);
}

TEST(ReadyNotice, AClosedDescriptorOrASecondLineIsRefused) {
  EXPECT_EQ(NotifyReady(-1, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NotifyReady(1, "x\ny").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
