#include "common/rpc/status_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using ::testing::StartsWith;

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

TEST(StatusConversionTest, AWrongAddressIsSaidToBeOne) {
  const auto said = [](const std::string& raw) {
    return std::string(FromGrpcStatus({grpc::StatusCode::UNAVAILABLE, raw}).message());
  };
  EXPECT_THAT(said("DNS resolution failed for nowhere:7: C-ares status is not ARES_SUCCESS: Domain "
                   "name not found"),
              StartsWith("the name of the host has no address (DNS resolution failed for nowhere"));
  EXPECT_EQ(said("failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:80: "
                 "Failed parsing HTTP/2"),
            "no connection: what listens there is no such server");
  EXPECT_THAT(said("Received http2 header with status: 404"),
              StartsWith("what listens there is no such server ("));
}

TEST(StatusConversionTest, WhatGrpcSaysMoreIsKept) {
  const auto said = [](grpc::StatusCode code, const std::string& raw) {
    return std::string(FromGrpcStatus({code, raw}).message());
  };
  EXPECT_EQ(
      said(grpc::StatusCode::RESOURCE_EXHAUSTED,
           "Received message larger than max (5242880 vs. 4194304)"),
      "a message is larger than this side takes in (Received message larger than max (5242880 "
      "vs. 4194304))");
  // Not refused: of another cause, which only the raw text names.
  EXPECT_EQ(said(grpc::StatusCode::UNAVAILABLE,
                 "failed to connect to all addresses; last error: UNAVAILABLE: no route to host"),
            "no connection (failed to connect to all addresses; last error: UNAVAILABLE: no route "
            "to host)");
  EXPECT_EQ(said(grpc::StatusCode::UNAVAILABLE, "recvmsg:Connection reset by peer"),
            "the connection was cut by the other side");
}

TEST(StatusConversionTest, APeersSentenceThatQuotesGrpcIsLeftAsItIs) {
  const absl::Status quoted = absl::UnavailableError(
      "run s: rank 1: the store at 10.0.0.7:1 is gone: Connection reset by peer");
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(quoted)), quoted);
  // Nor does one that begins as gRPC's own lose its id.
  for (const char* text : {"Socket closed: rank 1 is gone", "Stream removed"}) {
    const absl::Status named = WithErrorId(absl::UnknownError(text), ErrorId::kRankLost);
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(named)), named);
  }
  const absl::Status streams = absl::UnknownError("rank 1 says: Stream removed");
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(streams)), streams);
}

TEST(StatusConversionTest, ALostStreamIsUnavailableButAnotherUnknownIsNot) {
  const grpc::Status lost(grpc::StatusCode::UNKNOWN, "Stream removed");
  EXPECT_EQ(FromGrpcStatus(lost).code(), absl::StatusCode::kUnavailable);
  const grpc::Status other(grpc::StatusCode::UNKNOWN, "something else");
  EXPECT_EQ(FromGrpcStatus(other).code(), absl::StatusCode::kUnknown);
}

TEST(StatusConversionTest, ACodeOutsideTheStandardIsUnknown) {
  const grpc::Status odd(static_cast<grpc::StatusCode>(20), "odd");
  EXPECT_EQ(FromGrpcStatus(odd), absl::UnknownError("odd"));
}

}  // namespace
}  // namespace distill
