#include "teacher_server/service/example_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/bytes/byte_slices.h"
#include "teacher_server/service/flat_example_data.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

SentExamples Sent(const std::vector<float>& values) {
  SentExamples examples;
  examples.dims = {static_cast<int64_t>(values.size()) / 2, 1, 2};
  examples.bytes =
      SlicesOf(std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  examples.crc32c = Crc32c(examples.bytes);
  return examples;
}

v1::ExampleRefs Refs(std::vector<uint64_t> ids) {
  v1::ExampleRefs refs;
  refs.set_split(v1::TRAIN);
  refs.mutable_ids()->Add(ids.begin(), ids.end());
  return refs;
}

TEST(ExampleBatch, ExamplesByIdAndThoseThatCameAlongLieInTheOrderInWhichTheyWereAdded) {
  const auto data = FlatExampleData();
  ExampleBatch batch(8, {1, 2});
  EXPECT_TRUE(batch.Add(Sent({0.5, 1.5, 2.5, 3.5})).ok());
  EXPECT_TRUE(batch.Add(Refs({1}), *data).ok());
  EXPECT_TRUE(batch.Add(Sent({7, 8})).ok());
  const TensorView examples = batch.Take();
  EXPECT_THAT(examples.dims, ElementsAre(4, 1, 2));
  EXPECT_THAT(examples.as<float>(), ElementsAre(0.5, 1.5, 2.5, 3.5, 2, 10, 7, 8));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(examples.bytes.data()) % kPayloadAlignment, 0u);
}

TEST(ExampleBatch, WhatFailsLeavesNoTrace) {
  const auto data = FlatExampleData();
  ExampleBatch batch(3, {1, 2});
  SentExamples damaged = Sent({5, 6});
  damaged.crc32c = *damaged.crc32c ^ 1;
  EXPECT_TRUE(batch.Add(Sent({1, 2})).ok());
  EXPECT_EQ(batch.Add(damaged).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(batch.Add(Refs({99}), *data).code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(batch.Add(Sent({3, 4})).ok());
  EXPECT_THAT(batch.Take().as<float>(), ElementsAre(1, 2, 3, 4));
}

TEST(ExampleBatch, WithoutAChecksumNothingIsChecked) {
  ExampleBatch batch(1, {1, 2});
  SentExamples examples = Sent({5, 6});
  examples.crc32c.reset();
  EXPECT_TRUE(batch.Add(examples).ok());
  EXPECT_EQ(batch.rows(), 1);
}

}  // namespace
}  // namespace distill
