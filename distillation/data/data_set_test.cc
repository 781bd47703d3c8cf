#include "distillation/data/data_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::DataSetConfig Config(uint32_t validation) {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(3);
  config.set_validation_examples(validation);
  config.set_scale(1);
  config.set_deviation(1);
  return config;
}

TensorView Bytes() {
  return MakeTensorView(ElementType::kUInt8, {4, 1, 2},
                        std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7});
}

TensorView Labels(std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return MakeTensorView(ElementType::kInt64, {count}, std::move(values));
}

TEST(DataSetTest, ValidationIsTheEndOfTheTrainingFile) {
  auto data =
      DataSet::FromArrays(Config(1), Bytes(), Labels({0, 1, 2, -1}), DataSet::Files::kTraining);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)->size(v1::TRAIN), 3u);
  EXPECT_EQ((*data)->size(v1::VALIDATION), 1u);
  EXPECT_EQ((*data)->size(v1::TEST), 0u);
  EXPECT_THAT((*data)->labels(v1::TRAIN), ElementsAre(0, 1, 2));
  EXPECT_THAT((*data)->labels(v1::VALIDATION), ElementsAre(-1));
  auto validation = (*data)->Examples(v1::VALIDATION, std::vector<uint64_t>{0}, {}, {});
  ASSERT_TRUE(validation.ok());
  EXPECT_THAT(validation->dims, ElementsAre(1, 1, 2));
  EXPECT_THAT(validation->as<float>(), ElementsAre(6, 7));
}

TEST(DataSetTest, AnExampleOfTheValidationSplitCannotBeReachedThroughTheTrainingSplit) {
  auto data =
      DataSet::FromArrays(Config(1), Bytes(), Labels({0, 1, 2, 0}), DataSet::Files::kTraining);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ((*data)->Examples(v1::TRAIN, std::vector<uint64_t>{3}, {}, {}).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(DataSetTest, NumbersAreNormalisedLikeBytes) {
  v1::DataSetConfig config = Config(0);
  config.set_scale(2);
  config.set_mean(1);
  config.set_deviation(4);
  auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kFloat64, {1, 2}, std::vector<double>{10, -6}),
      Labels({2}), DataSet::Files::kTest);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT((*data)->example_dims(), ElementsAre(2));
  auto rows = (*data)->Examples(v1::TEST, std::vector<uint64_t>{0}, {}, {});
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(rows->as<float>(), ElementsAre(1, -1));
}

TEST(DataSetTest, FeatureRowsAreNotMirrored) {
  auto data = DataSet::FromArrays(
      Config(0), MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{1, 2}),
      Labels({0}), DataSet::Files::kTest);
  ASSERT_TRUE(data.ok());
  v1::ViewSpec flip;
  flip.set_horizontal_flip(true);
  EXPECT_EQ((*data)->Examples(v1::TEST, std::vector<uint64_t>{0}, {}, flip).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(DataSetTest, WhatDoesNotFitIsRefusedByName) {
  const auto message = [](const v1::DataSetConfig& config, TensorView examples,
                          std::vector<int64_t> labels) {
    return std::string(DataSet::FromArrays(config, std::move(examples), Labels(std::move(labels)),
                                           DataSet::Files::kTraining)
                           .status()
                           .message());
  };
  EXPECT_THAT(message(Config(0), Bytes(), {0, 1, 3, 0}), HasSubstr("example 2 has the label 3"));
  EXPECT_THAT(message(Config(0), Bytes(), {0, 1, -2, 0}), HasSubstr("label -2"));
  EXPECT_THAT(message(Config(0), Bytes(), {0, 1, 2}), HasSubstr("4 examples and 3 labels"));
  EXPECT_THAT(message(Config(4), Bytes(), {0, 1, 2, 0}), HasSubstr("leave some to train on"));
  EXPECT_THAT(message(Config(0),
                      MakeTensorView(ElementType::kFloat32, {2, 1},
                                     std::vector<float>{0, std::numeric_limits<float>::infinity()}),
                      {0, 0}),
              HasSubstr("example 1 holds a value that is not finite"));
  EXPECT_THAT(message(Config(0),
                      MakeTensorView(ElementType::kUInt8, {2}, std::vector<uint8_t>{0, 1}), {0, 0}),
              HasSubstr("shape [2]"));
}

TEST(DataSetTest, AMissingFileIsNamed) {
  v1::DataSetConfig config = Config(0);
  config.mutable_idx()->mutable_train_images()->set_path("/data/images");
  FakeFileSystem files;
  auto data = DataSet::Load(files, config, DataSet::Files::kTraining);
  EXPECT_EQ(data.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("/data/images"));
}

}  // namespace
}  // namespace distill
