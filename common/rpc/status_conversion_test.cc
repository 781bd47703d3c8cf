#include "common/rpc/status_conversion.h"

#include <gtest/gtest.h>

#include "common/status/error_id.h"

namespace distill {
namespace {

TEST(StatusConversionTest, EveryCodeAndItsMessageSurviveTheRoundTrip) {
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "what and why");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(StatusConversionTest, TheIdOfAnErrorSurvivesToo) {
  const absl::Status status =
      WithErrorId(absl::FailedPreconditionError("another teacher"), ErrorId::kTeacherFingerprint);
  EXPECT_EQ(ToGrpcStatus(status).error_message(), "another teacher [DST-5002]");
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  EXPECT_EQ(ErrorIdOf(FromGrpcStatus(ToGrpcStatus(status))), ErrorId::kTeacherFingerprint);
}

TEST(StatusConversionTest, WhatGrpcSaysItselfIsPutIntoPlainWords) {
  const grpc::Status raw(grpc::StatusCode::UNAVAILABLE,
                         "failed to connect to all addresses; last error: UNKNOWN: "
                         "ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused");
  EXPECT_EQ(
      FromGrpcStatus(raw),
      absl::UnavailableError("no connection: nothing listens there, or a firewall is between"));
  EXPECT_EQ(FromGrpcStatus({grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"}),
            absl::DeadlineExceededError("no answer in time"));
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
