#include "common/rpc/status_conversion.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(StatusConversionTest, EveryCodeAndItsMessageSurviveTheRoundTrip) {
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "what and why");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(StatusConversionTest, ALostStreamIsUnavailableButAnotherUnknownIsNot) {
  const grpc::Status lost(grpc::StatusCode::UNKNOWN, "Stream removed");
  EXPECT_EQ(FromGrpcStatus(lost).code(), absl::StatusCode::kUnavailable);
  const grpc::Status other(grpc::StatusCode::UNKNOWN, "something else");
  EXPECT_EQ(FromGrpcStatus(other).code(), absl::StatusCode::kUnknown);
}

TEST(StatusConversionTest, ACodeOutsideTheStandardIsUnknown) {
  const grpc::Status odd(static_cast<grpc::StatusCode>(77), "odd");
  EXPECT_EQ(FromGrpcStatus(odd), absl::UnknownError("odd"));
}

}  // namespace
}  // namespace distill
