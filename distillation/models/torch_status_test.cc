#include "distillation/models/torch_status.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "absl/status/status.h"

namespace distill {
namespace {

TEST(TorchStatus, WhatIsThrownBecomesAStatusWithoutItsStackTrace) {
  EXPECT_TRUE(CallTorch("a", [] {}).ok());
  EXPECT_EQ(
      CallTorch("a", [] { throw std::runtime_error("no\nException raised from f at g.cc:1"); }),
      absl::InternalError("a: no"));
  EXPECT_EQ(CallTorch("a", [] { throw std::bad_alloc(); }),
            absl::ResourceExhaustedError("a: out of memory"));
}

TEST(TorchStatus, AFileIsBlamedForWhatLibTorchThrewAndNotForMemoryThatRanOut) {
  const auto blame = [](const absl::Status& status) {
    return BlameFile(status, absl::StatusCode::kInvalidArgument, "write it anew");
  };
  EXPECT_EQ(blame(absl::InternalError("a: no zip")),
            absl::InvalidArgumentError("a: no zip; write it anew"));
  for (const absl::Status& other :
       {absl::OkStatus(), absl::ResourceExhaustedError("a: out of memory")}) {
    EXPECT_EQ(blame(other), other);
  }
}

}  // namespace
}  // namespace distill
