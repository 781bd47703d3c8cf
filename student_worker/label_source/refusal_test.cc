#include "student_worker/label_source/refusal.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(Refusal, WhatIsTheRunsFaultEveryTeacherWouldRefuse) {
  for (const absl::Status& status :
       {absl::InvalidArgumentError(""), absl::UnimplementedError("")}) {
    EXPECT_TRUE(IsFatal(status) && IsRefusal(status)) << status;
  }
}

TEST(Refusal, ATeacherThatDoesNotFitIsRefusedAndAnotherMayServe) {
  for (const absl::Status& status : {absl::FailedPreconditionError(""), absl::NotFoundError("")}) {
    EXPECT_TRUE(!IsFatal(status) && IsRefusal(status)) << status;
  }
}

TEST(Refusal, WhatPassesIsNone) {
  for (const absl::Status& status :
       {absl::OkStatus(), absl::UnavailableError(""), absl::DeadlineExceededError(""),
        absl::ResourceExhaustedError(""), absl::DataLossError(""), absl::CancelledError("")}) {
    EXPECT_FALSE(IsFatal(status) || IsRefusal(status)) << status;
  }
}

}  // namespace
}  // namespace distill
