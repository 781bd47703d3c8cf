#include "common/rpc/framing.h"

#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace distill {
namespace {

// Any has what a framed message has: a head (type_url) and bytes (value) behind it.
using google::protobuf::Any;
constexpr int kPayload = Any::kValueFieldNumber;

Any Head(const std::string& text) {
  Any head;
  head.set_type_url(text);
  return head;
}

// The bytes of a buffer, joined.
std::string Joined(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

std::string Joined(const ByteSlices& bytes) {
  std::string joined;
  for (const std::string_view slice : bytes.slices) joined += slice;
  return joined;
}

// A buffer of slices of `size` bytes: a field may cross them anywhere.
grpc::ByteBuffer Sliced(const std::string& bytes, size_t size) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += size) slices.emplace_back(bytes.substr(at, size));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusCode CodeOf(const std::string& bytes, const FrameLimits& limits = {}) {
  Any head;
  return SplitFrame(Sliced(bytes, 3), kPayload, limits, &head).status().code();
}

TEST(FramingTest, WhatIsBuiltIsAnOrdinaryMessage) {
  const ByteSlices payload = {{"soft ", "", "labels"}, nullptr};
  const auto frame = BuildFrame(Head("head"), kPayload, payload);
  ASSERT_TRUE(frame.ok()) << frame.status();
  Any parsed;
  ASSERT_TRUE(parsed.ParseFromString(Joined(*frame)));
  EXPECT_EQ(parsed.type_url(), "head");
  EXPECT_EQ(parsed.value(), "soft labels");
}

TEST(FramingTest, AnOrdinaryMessageIsReadHoweverItIsSliced) {
  Any message = Head(std::string(300, 'h'));
  message.set_value(std::string(1000, 'p'));
  for (const size_t size : {1, 2, 7, 64, 5000}) {
    Any head;
    const auto payload = SplitFrame(Sliced(message.SerializeAsString(), size), kPayload, {}, &head);
    ASSERT_TRUE(payload.ok()) << payload.status();
    EXPECT_EQ(Joined(*payload), message.value());
    EXPECT_EQ(head.type_url(), message.type_url());
    EXPECT_TRUE(head.value().empty());
  }
}

TEST(FramingTest, AMessageWithoutAPayloadHasNone) {
  Any head;
  const auto payload = SplitFrame(Sliced(Head("x").SerializeAsString(), 3), kPayload, {}, &head);
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(payload->size(), 0u);
}

TEST(FramingTest, EveryTruncationIsRefused) {
  Any message = Head("head");
  message.set_value("payload");
  const std::string bytes = message.SerializeAsString();
  for (size_t size = 1; size < bytes.size(); ++size) {
    if (size == Head("head").SerializeAsString().size()) continue;  // whole, without a payload
    EXPECT_EQ(CodeOf(bytes.substr(0, size)), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(FramingTest, WhateverFollowsThePayloadIsRefused) {
  Any message;
  message.set_value("payload");
  const std::string bytes = message.SerializeAsString();
  EXPECT_EQ(CodeOf(bytes + bytes), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(bytes + "x"), absl::StatusCode::kInvalidArgument);
}

TEST(FramingTest, AClaimedSizeIsCheckedBeforeMemoryIsTaken) {
  // Field 2, length 2^32 - 1, nothing behind it.
  EXPECT_EQ(CodeOf("\x12\xff\xff\xff\xff\x0f"), absl::StatusCode::kResourceExhausted);
  Any message;
  message.set_value(std::string(100, 'p'));
  FrameLimits limits;
  limits.max_payload_bytes = 99;
  EXPECT_EQ(CodeOf(message.SerializeAsString(), limits), absl::StatusCode::kResourceExhausted);
  limits.max_payload_bytes = 100;
  EXPECT_EQ(CodeOf(message.SerializeAsString(), limits), absl::StatusCode::kOk);
  limits.max_head_bytes = 10;
  EXPECT_EQ(CodeOf(Head("a head of many bytes").SerializeAsString(), limits),
            absl::StatusCode::kResourceExhausted);
}

TEST(FramingTest, APayloadFieldOfAnotherTypeIsRefused) {
  EXPECT_EQ(CodeOf(std::string("\x10\x01", 2)), absl::StatusCode::kInvalidArgument);
}

TEST(FramingTest, ASliceKeepsItsOwnerUntilTheLastCopyIsGone) {
  auto owner = std::make_shared<const std::string>("labels");
  std::weak_ptr<const std::string> watch = owner;
  {
    const ByteSlices payload = {{*owner}, std::move(owner)};
    const auto frame = BuildFrame(Head("x"), kPayload, payload);
    ASSERT_TRUE(frame.ok());
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(FramingTest, AHeadWithAPayloadOfItsOwnOrAWrongFieldIsRefused) {
  Any head;
  head.set_value("already");
  EXPECT_EQ(BuildFrame(head, kPayload, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BuildFrame(Head("x"), Any::kTypeUrlFieldNumber, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
