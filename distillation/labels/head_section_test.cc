#include "distillation/labels/head_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/tensor_view/tensor_view.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

LabelHead Head(std::vector<float> weight = {1, 2, 3, 4, 5, 6}, std::vector<float> bias = {7, 8}) {
  const int64_t classes = static_cast<int64_t>(bias.size());
  const int64_t features = static_cast<int64_t>(weight.size()) / classes;
  return {MakeTensorView(ElementType::kFloat32, {classes, features}, std::move(weight)),
          MakeTensorView(ElementType::kFloat32, {classes}, std::move(bias))};
}

absl::StatusOr<LabelHead> Decode(const EncodedHead& encoded, int64_t classes = 2) {
  std::string payload;
  for (const std::string& bytes : encoded.payload) payload += bytes;
  return DecodeHead(encoded.sections, std::as_bytes(std::span(payload)), classes);
}

TEST(HeadSection, AHeadComesBackBitForBitAndSaysItsShape) {
  const auto encoded = EncodeHead(Head());
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_EQ(encoded->sections[0].output(), "head.weight");
  EXPECT_THAT(encoded->sections[0].dims(), ElementsAre(2, 3));
  EXPECT_EQ(encoded->sections[1].output(), "head.bias");
  EXPECT_THAT(encoded->sections[1].dims(), ElementsAre(2));
  const auto head = Decode(*encoded);
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->classes(), 2);
  EXPECT_EQ(head->features(), 3);
  // 4 * C * (H + 1).
  EXPECT_EQ(head->bytes(), 32u);
  EXPECT_THAT(head->weight.as<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(head->bias.dims, ElementsAre(2));
  EXPECT_THAT(head->bias.as<float>(), ElementsAre(7, 8));
}

TEST(HeadSection, WhatIsNoHeadOfTheRunIsRefused) {
  using Spoil = std::function<void(EncodedHead&)>;
  const std::vector<std::pair<Spoil, const char*>> cases = {
      {[](EncodedHead& e) { e.sections.pop_back(); }, "1 sections"},
      {[](EncodedHead& e) { e.sections.push_back(e.sections[0]); }, "3 sections"},
      {[](EncodedHead& e) { std::swap(e.sections[0], e.sections[1]); }, "where head.weight"},
      {[](EncodedHead& e) { e.sections[0].set_output("logits"); }, "where head.weight"},
      {[](EncodedHead& e) { e.sections[0].set_codec("dense_fp16"); }, "where head.weight"},
      {[](EncodedHead& e) { e.sections[1].add_dims(1); }, "where head.bias"},
      {[](EncodedHead& e) { e.sections[1].clear_dims(); }, "where head.bias"},
      {[](EncodedHead& e) { e.sections[0].set_dims(1, 4); }, "head.weight"},
      {[](EncodedHead& e) { e.sections[1].set_dims(0, 3); }, "head.bias"},
      {[](EncodedHead& e) { e.sections[1].set_offset(28); }, "head.bias"},
      {[](EncodedHead& e) { e.payload.pop_back(); }, "head.bias"},
      {[](EncodedHead& e) {
         // Other classes than the bias.
         e = *EncodeHead(Head({1, 2, 3}, {1, 2, 3}));
         e.sections[1].set_dims(0, 2);
         e.sections[1].set_length(8);
       },
       "its bias 2"},
      {[](EncodedHead& e) {
         const float nan = std::numeric_limits<float>::quiet_NaN();
         e.payload[0].replace(4, 4, reinterpret_cast<const char*>(&nan), 4);
       },
       "not finite"}};
  for (const auto& [spoil, why] : cases) {
    EncodedHead encoded = *EncodeHead(Head());
    spoil(encoded);
    const auto head = Decode(encoded);
    EXPECT_EQ(head.status().code(), absl::StatusCode::kDataLoss) << why;
    EXPECT_THAT(std::string(head.status().message()), HasSubstr(why));
  }
  EXPECT_THAT(std::string(Decode(*EncodeHead(Head()), 3).status().message()),
              HasSubstr("the run's data set has 3"));
}

TEST(HeadSection, TensorsThatAreNoHeadAreNotEncoded) {
  LabelHead uneven = Head();
  uneven.bias.dims = {1, 2};
  EXPECT_EQ(EncodeHead(uneven).status().code(), absl::StatusCode::kInvalidArgument);
  const float infinite = std::numeric_limits<float>::infinity();
  const auto broken = EncodeHead(Head({1, 2}, {infinite, 1}));
  EXPECT_EQ(broken.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(broken.status().message()), HasSubstr("head.bias"));
}

}  // namespace
}  // namespace distill
