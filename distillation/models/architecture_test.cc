#include "distillation/models/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ModelConfig ConvNet(std::vector<uint32_t> widths, std::vector<uint32_t> strides,
                        bool batch_norm, bool pool) {
  v1::ModelConfig config;
  config.set_architecture("conv_net");
  for (uint32_t width : widths) config.add_widths(width);
  for (uint32_t stride : strides) config.add_strides(stride);
  config.set_batch_norm(batch_norm);
  config.set_global_average_pool(pool);
  return config;
}

v1::ModelConfig Mlp(std::vector<uint32_t> widths) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  for (uint32_t width : widths) config.add_widths(width);
  return config;
}

const std::vector<int64_t> kImage = {1, 28, 28};

std::string ErrorOf(const v1::ModelConfig& config, const std::vector<int64_t>& dims,
                    int64_t classes) {
  return std::string(PlanModel(config, dims, classes).status().message());
}

TEST(Architecture, TeacherOfTheFashionRecipeHas74194Parameters) {
  // 216 + 10368 + 20736 + 41472 weights, 2 * 216 normalisation, 96 * 10 + 10.
  // Strides do not change the count, as positions are averaged.
  const auto plan = PlanModel(ConvNet({24, 48, 48, 96}, {2, 1, 2, 1}, true, true), kImage, 10);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->parameters, 74194);
  // 14x14 * (216 + 10368), 7x7 * (20736 + 41472), 960.
  EXPECT_EQ(plan->multiply_adds, 196 * 10584 + 49 * 62208 + 960);
  EXPECT_EQ(plan->multiply_adds, 5123616);
}

TEST(Architecture, StudentOfTheFashionRecipeHas9098Parameters) {
  // 8 * 9 + 8, 16 * 72 + 16, 784 * 10 + 10.
  const auto plan = PlanModel(ConvNet({8, 16}, {2, 2}, false, false), kImage, 10);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->parameters, 9098);
  // 14x14 * 72, 7x7 * 1152, 7840.
  EXPECT_EQ(plan->multiply_adds, 14112 + 56448 + 7840);
}

TEST(Architecture, MlpCountsWeightsAndBiases) {
  const auto plan = PlanModel(Mlp({30}), kImage, 10);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->parameters, 784 * 30 + 30 + 30 * 10 + 10);
  EXPECT_EQ(plan->multiply_adds, 784 * 30 + 300);
}

TEST(Architecture, MlpWithoutHiddenLayersIsLinear) {
  const auto plan = PlanModel(Mlp({}), kImage, 10);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->parameters, 7850);
}

TEST(Architecture, TensorsComeInAFixedOrderWithBuffersMarked) {
  const auto plan = PlanModel(ConvNet({4}, {2}, true, false), std::vector<int64_t>{5, 6}, 3);
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::vector<std::string> names;
  std::vector<std::string> buffers;
  for (const TensorSpec& tensor : plan->tensors) {
    (tensor.trained ? names : buffers).push_back(tensor.name);
  }
  EXPECT_THAT(names, ElementsAre("conv1.weight", "norm1.weight", "norm1.bias", "linear.weight",
                                 "linear.bias"));
  EXPECT_THAT(buffers, ElementsAre("norm1.running_mean", "norm1.running_var"));
  EXPECT_THAT(plan->tensors[0].dims, ElementsAre(4, 1, 3, 3));
  EXPECT_THAT(plan->input_dims, ElementsAre(1, 5, 6));
  // Odd sides round up: 3x3 positions.
  EXPECT_EQ(plan->layers[1].inputs, 4 * 3 * 3);
}

TEST(Architecture, UnknownArchitectureIsRefusedWithTheKnownOnes) {
  v1::ModelConfig config;
  config.set_architecture("transformer");
  const std::string error = ErrorOf(config, kImage, 10);
  EXPECT_THAT(error, HasSubstr("\"transformer\""));
  EXPECT_THAT(error, HasSubstr("conv_net and mlp"));
}

TEST(Architecture, SizesThatMakeNoModelAreRefused) {
  const v1::ModelConfig good = ConvNet({8}, {2}, false, false);
  EXPECT_THAT(ErrorOf(good, {784}, 10), HasSubstr("1 dimensions"));
  EXPECT_THAT(ErrorOf(good, {1, 0, 28}, 10), HasSubstr("a dimension of the examples is 0"));
  EXPECT_THAT(ErrorOf(good, {}, 10), HasSubstr("no dimensions"));
  EXPECT_THAT(ErrorOf(good, {1, 1 << 20, 1 << 20}, 10), HasSubstr("values of an example"));
  EXPECT_THAT(ErrorOf(good, kImage, 0), HasSubstr("classes is 0"));
  EXPECT_THAT(ErrorOf(ConvNet({}, {}, false, false), kImage, 10), HasSubstr("widths is empty"));
  EXPECT_THAT(ErrorOf(ConvNet({8, 8}, {2}, false, false), kImage, 10), HasSubstr("strides has 1"));
  EXPECT_THAT(ErrorOf(ConvNet({8}, {0}, false, false), kImage, 10), HasSubstr("entry of strides"));
  EXPECT_THAT(ErrorOf(ConvNet({0}, {1}, false, false), kImage, 10), HasSubstr("entry of widths"));
  EXPECT_THAT(ErrorOf(Mlp({65536, 65536}), kImage, 10), HasSubstr("number of parameters"));
  EXPECT_THAT(ErrorOf(Mlp(std::vector<uint32_t>(65, 1)), kImage, 10), HasSubstr("at most 64"));
}

TEST(Architecture, FieldsOfAnotherArchitectureAreRefused) {
  v1::ModelConfig config = Mlp({8});
  config.set_batch_norm(true);
  EXPECT_THAT(ErrorOf(config, kImage, 10), HasSubstr("belong to conv_net"));
}

}  // namespace
}  // namespace distill
