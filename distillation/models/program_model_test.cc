#include "distillation/models/program_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ModelConfig Config() {
  v1::ModelConfig config;
  config.mutable_torch_script()->set_file("a.pt");
  config.mutable_torch_script()->add_outputs("first");
  config.mutable_torch_script()->add_outputs("second");
  return config;
}

// A program that is a function: [n, 2, 3] to two outputs of two classes.
class FakeProgram final : public ProgramModel {
 public:
  using Function = std::function<std::vector<at::Tensor>(const at::Tensor&)>;

  explicit FakeProgram(Function function, const v1::ModelConfig& config = Config())
      : ProgramModel(config, std::vector<int64_t>{2, 3}, /*classes=*/2),
        function_(std::move(function)) {}

  using ProgramModel::AddBuffer;
  using ProgramModel::AddParameter;

  void SetTraining(bool training) override { training_ = training; }
  bool training() const override { return training_; }
  absl::Status MoveTo(int) override { return absl::UnimplementedError("not in this test"); }

  // Whether it was training, in each pass.
  std::vector<bool> passes;

 private:
  absl::StatusOr<std::vector<at::Tensor>> Run(const at::Tensor& x) override {
    passes.push_back(training_);
    return InOrder(function_(x));
  }

  const Function function_;
  bool training_ = true;
};

std::vector<at::Tensor> TwoOutputs(const at::Tensor& x) {
  const at::Tensor logits = x.flatten(1).slice(1, 0, 2).contiguous();
  return {logits, logits.mul(2)};
}

TEST(ProgramModel, TheHandshakeIsOfSeveralExamplesAndOfOneAndNoTraining) {
  FakeProgram program(TwoOutputs);
  EXPECT_TRUE(program.ShakeHands().ok());
  EXPECT_THAT(program.passes, ElementsAre(false, false));
  EXPECT_TRUE(program.training());
}

TEST(ProgramModel, TheFirstPassThatDoesNotFitEndsTheHandshake) {
  FakeProgram program([](const at::Tensor& x) {
    auto outputs = TwoOutputs(x);
    outputs[1] = outputs[1].to(at::kDouble);
    return outputs;
  });
  const absl::Status status = program.ShakeHands();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model file a.pt: its output 'second' is Double [3,2] for 3 examples"));
  EXPECT_THAT(program.passes, ElementsAre(false));
  EXPECT_TRUE(program.training());
}

TEST(ProgramModel, AnOutputOfProbabilitiesEndsTheHandshakeAndOneOfTheirLogarithmsDoesNot) {
  FakeProgram softmax([](const at::Tensor& x) {
    auto outputs = TwoOutputs(x);
    outputs[1] = outputs[1].softmax(1);
    return outputs;
  });
  const absl::Status status = softmax.ShakeHands();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model file a.pt: its output 'second' is probabilities"));

  FakeProgram log_softmax([](const at::Tensor& x) {
    auto outputs = TwoOutputs(x);
    outputs[1] = outputs[1].log_softmax(1);
    return outputs;
  });
  EXPECT_TRUE(log_softmax.ShakeHands().ok());
}

// Of logits, either is so by chance at times.
TEST(ProgramModel, RowsThatOnlySumToOneOrAreOnlyNotNegativePassTheHandshake) {
  FakeProgram program([](const at::Tensor& x) {
    const at::Tensor rows = TwoOutputs(x)[0];
    return std::vector<at::Tensor>{rows.add(at::tensor({-0.5F, 1.5F})),
                                   rows.add(at::tensor({0.5F, 1.F}))};
  });
  EXPECT_TRUE(program.ShakeHands().ok());
}

TEST(ProgramModel, OutputsAreGivenInTheOrderThatIsAsked) {
  FakeProgram program(TwoOutputs);
  const auto outputs = program.Outputs(at::ones({4, 6}), {"second", "first"});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_TRUE((*outputs)[0].equal((*outputs)[1].mul(2)));
  EXPECT_TRUE(program.Forward(at::ones({4, 6}))->equal((*outputs)[1]));
  EXPECT_THAT(std::string(program.Outputs(at::ones({4, 6}), {"third"}).status().message()),
              HasSubstr("has no output 'third'; it has first, second"));
}

TEST(ProgramModel, ExamplesAreReadInTheShapeThatTheFileDeclares) {
  v1::ModelConfig config = Config();
  config.mutable_torch_script()->add_example_dims(6);
  std::vector<int64_t> seen;
  FakeProgram program(
      [&](const at::Tensor& x) {
        seen = x.sizes().vec();
        return TwoOutputs(x);
      },
      config);
  EXPECT_TRUE(program.ShakeHands().ok());
  EXPECT_THAT(seen, ElementsAre(1, 6));
}

TEST(ProgramModel, OnlyParametersThatAskForAGradientAreTrainedAndOnlyFloatBuffersAveraged) {
  FakeProgram program(TwoOutputs);
  EXPECT_TRUE(program.AddParameter("trained", at::ones({2}).set_requires_grad(true)).ok());
  EXPECT_TRUE(program.AddParameter("kept", at::ones({3})).ok());
  EXPECT_TRUE(program.AddBuffer("mean", at::ones({4})).ok());
  EXPECT_TRUE(program.AddBuffer("count", at::ones({}, at::kLong)).ok());
  ASSERT_EQ(program.Parameters().size(), 1u);
  EXPECT_EQ(program.Parameters()[0].numel(), 2);
  ASSERT_EQ(program.Buffers().size(), 1u);
  EXPECT_EQ(program.Buffers()[0].numel(), 4);
  EXPECT_EQ(program.plan().parameters, 5);
  EXPECT_EQ(program.Tensors()->size(), 4u);
}

TEST(ProgramModel, ATensorThatDoesNotFitIsNotNoted) {
  FakeProgram program(TwoOutputs);
  EXPECT_EQ(program.AddParameter("half", at::ones({2}, at::kHalf)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(program.AddBuffer("mask", at::ones({2}, at::kBool)).ok());
  EXPECT_FALSE(program.AddBuffer("repeated", at::ones({1}).expand({4})).ok());
  EXPECT_THAT(std::string(program.AddBuffer("sparse", at::ones({2}).to_sparse()).message()),
              HasSubstr("buffer sparse is not dense, and cannot be restored"));
  EXPECT_FALSE(program.AddBuffer("none", at::Tensor()).ok());
  EXPECT_TRUE(program.Tensors()->empty());
}

}  // namespace
}  // namespace distill
