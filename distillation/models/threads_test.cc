#include "distillation/models/threads.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(SetComputeThreadsTest, LibTorchUsesAsManyAsItWasTold) {
  for (const int threads : {2, 1}) {
    const absl::Status status = SetComputeThreads(threads);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(at::get_num_threads(), threads);
  }
}

TEST(SetComputeThreadsTest, LessThanOneThreadIsRefusedAndChangesNothing) {
  ASSERT_TRUE(SetComputeThreads(2).ok());
  EXPECT_EQ(SetComputeThreads(0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(at::get_num_threads(), 2);
}

}  // namespace
}  // namespace distill
