#include "distillation/models/model.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::ModelConfig ConvNet(bool batch_norm, bool pool) {
  v1::ModelConfig config;
  config.set_architecture("conv_net");
  config.add_widths(4);
  config.add_strides(2);
  config.set_batch_norm(batch_norm);
  config.set_global_average_pool(pool);
  return config;
}

std::unique_ptr<Model> Make(const v1::ModelConfig& config, std::vector<int64_t> dims,
                            uint64_t seed) {
  auto model = Model::Create(config, dims, 3, seed);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

at::Tensor Examples(int64_t n) { return at::linspace(-1, 1, n * 30).view({n, 1, 5, 6}); }

at::Tensor MustForward(Model& model, const at::Tensor& examples) {
  auto logits = model.Forward(examples);
  EXPECT_TRUE(logits.ok()) << logits.status();
  return *logits;
}

TEST(Model, SameSeedSameValuesOtherSeedOtherValues) {
  const auto config = ConvNet(false, false);
  auto a = Make(config, {1, 5, 6}, 1);
  auto b = Make(config, {1, 5, 6}, 1);
  auto c = Make(config, {1, 5, 6}, 2);
  const at::Tensor x = Examples(2);
  EXPECT_TRUE(MustForward(*a, x).equal(MustForward(*b, x)));
  EXPECT_FALSE(MustForward(*a, x).equal(MustForward(*c, x)));
}

TEST(Model, InitialValuesStayWithinTheBoundOfTheirInputs) {
  auto model = Make(ConvNet(false, false), {1, 5, 6}, 1);
  const std::vector<at::Tensor> parameters = model->Parameters();
  ASSERT_EQ(parameters.size(), 4u);
  EXPECT_LE(parameters[0].abs().max().item<float>(), 1 / 3.0);  // 9 inputs
  EXPECT_LE(parameters[2].abs().max().item<float>(), 1 / 6.0);  // 36 inputs
  EXPECT_GT(parameters[2].abs().max().item<float>(), 0.9 / 6);
}

TEST(Model, LogitsBesideHiddenStatesAreThoseOfForwardBitForBit) {
  v1::ModelConfig mlp;
  mlp.set_architecture("mlp");
  mlp.add_widths(7);
  for (const auto& [config, features] : {std::pair{ConvNet(true, true), 4}, {mlp, 7}}) {
    auto model = Make(config, {1, 5, 6}, 1);
    model->SetTraining(false);
    const auto outputs = model->Outputs(Examples(3), {kHiddenStates, kLogits});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0].sizes().vec(), (std::vector<int64_t>{3, features}));
    EXPECT_TRUE((*outputs)[1].equal(MustForward(*model, Examples(3))));
    EXPECT_FALSE(model->Outputs(Examples(3), {"no"}).ok());
  }
}

TEST(Model, ConvolutionCentreTapWithStrideTwoReadsEveryOtherPixel) {
  auto model = Make(ConvNet(false, true), {1, 5, 6}, 1);
  {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> p = model->Parameters();
    for (at::Tensor& tensor : p) tensor.zero_();
    p[0].select(0, 0).select(0, 0).select(0, 1).select(0, 1).fill_(1);
    p[2].select(0, 2).select(0, 0).fill_(1);
    p[3].select(0, 1).fill_(5);
  }
  const at::Tensor logits = MustForward(*model, at::arange(30, at::kFloat).view({1, 1, 5, 6}));
  // Rows 0, 2, 4 and columns 0, 2, 4: the mean of 6r + c is 12 + 2.
  EXPECT_EQ(logits.select(1, 2).item<float>(), 14);
  EXPECT_EQ(logits.select(1, 1).item<float>(), 5);
}

TEST(Model, EvaluationUsesRunningStatisticsAndLeavesThemAlone) {
  auto model = Make(ConvNet(true, true), {1, 5, 6}, 1);
  const at::Tensor x = Examples(4);
  const auto before = model->Tensors();
  MustForward(*model, x);
  const auto trained = model->Tensors();
  model->SetTraining(false);
  const at::Tensor logits = MustForward(*model, x);
  const auto evaluated = model->Tensors();
  ASSERT_TRUE(before.ok() && trained.ok() && evaluated.ok());
  const auto mean = [](const auto& tensors) {
    const auto span = tensors->at("norm1.running_mean").template as<float>();
    return std::vector<float>(span.begin(), span.end());
  };
  EXPECT_NE(mean(before), mean(trained));
  EXPECT_EQ(mean(trained), mean(evaluated));
  EXPECT_FALSE(logits.requires_grad());
  // A row's logits do not depend on its batch.
  EXPECT_TRUE(MustForward(*model, x.narrow(0, 0, 2)).allclose(logits.narrow(0, 0, 2), 1e-5, 1e-6));
}

TEST(Model, TrainingModeRecordsGradientsForEveryParameter) {
  auto model = Make(ConvNet(true, false), {1, 5, 6}, 1);
  MustForward(*model, Examples(4)).pow(2).sum().backward();
  for (const at::Tensor& parameter : model->Parameters()) {
    ASSERT_TRUE(parameter.grad().defined());
    EXPECT_GT(parameter.grad().abs().sum().item<float>(), 0);
  }
}

TEST(Model, TensorsSetFromAnotherModelMakeItTheSame) {
  auto a = Make(ConvNet(true, true), {1, 5, 6}, 1);
  auto b = Make(ConvNet(true, true), {1, 5, 6}, 2);
  MustForward(*a, Examples(4));
  const auto tensors = a->Tensors();
  ASSERT_TRUE(tensors.ok());
  ASSERT_TRUE(b->SetTensors(*tensors).ok());
  a->SetTraining(false);
  b->SetTraining(false);
  EXPECT_TRUE(MustForward(*a, Examples(4)).equal(MustForward(*b, Examples(4))));
}

TEST(Model, TensorsThatDoNotFitAreRefusedAndChangeNothing) {
  auto model = Make(ConvNet(true, true), {1, 5, 6}, 1);
  const auto good = model->Tensors();
  ASSERT_TRUE(good.ok());
  const auto error = [&](const std::map<std::string, TensorView>& tensors) {
    return std::string(model->SetTensors(tensors).message());
  };
  auto bad = *good;
  bad["conv1.weight"] =
      MakeTensorView<float>(ElementType::kFloat32, {36}, std::vector<float>(36, 9.0f));
  EXPECT_THAT(error(bad), HasSubstr("conv1.weight has shape [36], but the model's is [4,1,3,3]"));
  bad = *good;
  bad["conv1.weight"] =
      MakeTensorView<float>(ElementType::kFloat32, {4, 1, 3, 3}, std::vector<float>(36, 9.0f));
  bad["more"] = bad["conv1.weight"];
  EXPECT_THAT(error(bad), HasSubstr("more is no tensor"));
  bad.erase("more");
  bad["norm1.running_var"] =
      MakeTensorView<double>(ElementType::kFloat64, {4}, std::vector<double>(4));
  EXPECT_THAT(error(bad), HasSubstr("is float64"));
  bad.erase("norm1.running_var");
  EXPECT_THAT(error(bad), HasSubstr("norm1.running_var is missing"));
  const auto after = model->Tensors();
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->at("conv1.weight").as<float>()[0], good->at("conv1.weight").as<float>()[0]);
}

TEST(Model, MlpReadsImagesAsRows) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  config.add_widths(7);
  auto model = Make(config, {1, 5, 6}, 1);
  const at::Tensor x = Examples(2);
  EXPECT_TRUE(MustForward(*model, x).equal(MustForward(*model, x.flatten(1))));
}

TEST(Model, ExamplesOfAnotherShapeOrTypeAreRefused) {
  auto model = Make(ConvNet(false, true), {1, 5, 6}, 1);
  EXPECT_THAT(std::string(model->Forward(at::zeros({2, 29}, at::kFloat)).status().message()),
              HasSubstr("Float [2,29], but the model reads float32 [n,1,5,6]"));
  EXPECT_EQ(model->Forward(at::zeros({2, 30}, at::kDouble)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
