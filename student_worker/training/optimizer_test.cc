#include "student_worker/training/optimizer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/status/status.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20240607;
constexpr double kFloatUlp = std::numeric_limits<float>::epsilon();
const std::vector<std::string> kNames = {"a.weight", "a.bias", "b.weight"};

constexpr char kPlain[] = "sgd { }";
constexpr char kMomentum[] = "sgd { momentum: 0.9 weight_decay: 0.01 }";
constexpr char kNesterov[] = "sgd { momentum: 0.8 nesterov: true weight_decay: 0.02 }";
// An epsilon and a weight decay large enough to be seen in the values.
constexpr char kAdamW[] = "adamw { beta1: 0.9 beta2: 0.99 epsilon: 1e-3 weight_decay: 0.1 }";

v1::TrainingConfig Config(const std::string& text) {
  v1::TrainingConfig training;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &training)) << text;
  return training;
}

std::unique_ptr<Optimizer> Make(const std::string& text, std::vector<at::Tensor> parameters) {
  auto optimizer = Optimizer::Create(Config(text), std::move(parameters), kNames);
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return *std::move(optimizer);
}

at::Generator Random() { return at::make_generator<at::CPUGeneratorImpl>(kSeed); }

std::vector<at::Tensor> Parameters(at::Generator& generator) {
  std::vector<at::Tensor> parameters = {at::randn({7, 5}, generator), at::randn({7}, generator),
                                        at::randn({3, 2, 3, 3}, generator)};
  for (at::Tensor& parameter : parameters) parameter.set_requires_grad(true);
  return parameters;
}

std::vector<at::Tensor> Copies(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> copies;
  for (const at::Tensor& parameter : parameters) {
    copies.push_back(parameter.detach().clone().set_requires_grad(true));
  }
  return copies;
}

// A gradient for each parameter, the same for each of `sets`; every third step the
// second parameter has none.
void SetGradients(at::Generator& generator, int step,
                  const std::vector<std::vector<at::Tensor>>& sets) {
  for (size_t i = 0; i < sets.front().size(); ++i) {
    const at::Tensor gradient = at::randn(sets.front()[i].sizes(), generator);
    for (const auto& parameters : sets) {
      parameters[i].mutable_grad() = i == 1 && step % 3 == 1 ? at::Tensor() : gradient.clone();
    }
  }
}

double Rate(int step) { return 0.1 / (1 + 0.2 * step); }

bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

std::map<std::string, TensorView> StateOf(const Optimizer& optimizer) {
  auto state = optimizer.State();
  EXPECT_TRUE(state.ok()) << state.status();
  return *std::move(state);
}

std::unique_ptr<torch::optim::Optimizer> PyTorchs(const v1::TrainingConfig& training,
                                                  std::vector<at::Tensor> parameters) {
  if (training.has_sgd()) {
    const auto& sgd = training.sgd();
    return std::make_unique<torch::optim::SGD>(std::move(parameters),
                                               torch::optim::SGDOptions(1)
                                                   .momentum(sgd.momentum())
                                                   .nesterov(sgd.nesterov())
                                                   .weight_decay(sgd.weight_decay()));
  }
  const auto& adamw = training.adamw();
  return std::make_unique<torch::optim::AdamW>(std::move(parameters),
                                               torch::optim::AdamWOptions(1)
                                                   .betas({adamw.beta1(), adamw.beta2()})
                                                   .eps(adamw.epsilon())
                                                   .weight_decay(adamw.weight_decay()));
}

class EveryAlgorithm : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Optimizer, EveryAlgorithm,
                         testing::Values(kPlain, kMomentum, kNesterov, kAdamW));

TEST_P(EveryAlgorithm, FollowsPyTorchWithChangingRatesAndMissingGradients) {
  SCOPED_TRACE(testing::Message() << GetParam() << ", seed " << kSeed);
  at::Generator generator = Random();
  const auto ours = Parameters(generator);
  const auto theirs = Copies(ours);
  const auto optimizer = Make(GetParam(), ours);
  const auto reference = PyTorchs(Config(GetParam()), theirs);
  for (int step = 0; step < 40; ++step) {
    SetGradients(generator, step, {ours, theirs});
    ASSERT_TRUE(optimizer->Step(Rate(step)).ok());
    reference->param_groups().front().options().set_lr(Rate(step));
    reference->step();
    for (size_t i = 0; i < ours.size(); ++i) {
      const double scale = std::max(1.0, theirs[i].abs().max().item<double>());
      const double difference = (ours[i] - theirs[i]).abs().max().item<double>();
      ASSERT_LE(difference, 4 * kFloatUlp * scale) << kNames[i] << " after step " << step;
    }
  }
}

TEST_P(EveryAlgorithm, GoesOnFromItsStateBitForBit) {
  SCOPED_TRACE(testing::Message() << GetParam() << ", seed " << kSeed);
  at::Generator generator = Random();
  const auto kept = Parameters(generator);
  const auto optimizer = Make(GetParam(), kept);
  for (int step = 0; step < 7; ++step) {
    SetGradients(generator, step, {kept});
    ASSERT_TRUE(optimizer->Step(Rate(step)).ok());
  }
  const auto saved = StateOf(*optimizer);
  const auto restored = Copies(kept);
  const auto fresh = Make(GetParam(), restored);
  for (int step = 7; step < 30; ++step) {
    // Set only now that the first optimizer has gone on: the state is a copy.
    SetGradients(generator, step, {kept, restored});
    ASSERT_TRUE(optimizer->Step(Rate(step)).ok());
    if (step == 7) {
      const absl::Status status = fresh->SetState(saved);
      ASSERT_TRUE(status.ok()) << status;
    }
    ASSERT_TRUE(fresh->Step(Rate(step)).ok());
    for (size_t i = 0; i < kept.size(); ++i) {
      ASSERT_TRUE(SameBits(kept[i], restored[i])) << kNames[i] << " after step " << step;
    }
  }
  const auto a = StateOf(*optimizer);
  const auto b = StateOf(*fresh);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [key, view] : a) {
    EXPECT_TRUE(std::ranges::equal(view.bytes, b.at(key).bytes)) << key;
  }
}

TEST_P(EveryAlgorithm, ParameterWithoutGradientIsSkippedWithItsState) {
  at::Generator generator = Random();
  const auto parameters = Parameters(generator);
  const auto before = Copies(parameters);
  const auto optimizer = Make(GetParam(), parameters);
  SetGradients(generator, /*step=*/1, {parameters});
  ASSERT_TRUE(optimizer->Step(0.5).ok());
  EXPECT_FALSE(SameBits(parameters[0], before[0]));
  EXPECT_TRUE(SameBits(parameters[1], before[1]));
  const auto state = StateOf(*optimizer);
  for (const auto& [key, view] : state) {
    if (!key.ends_with("/a.bias")) continue;
    for (std::byte byte : view.bytes) EXPECT_EQ(byte, std::byte{0}) << key;
  }
}

TEST_P(EveryAlgorithm, RateThatIsNegativeOrNotFiniteIsRefusedAndNothingChanges) {
  at::Generator generator = Random();
  const auto parameters = Parameters(generator);
  const auto before = Copies(parameters);
  const auto optimizer = Make(GetParam(), parameters);
  SetGradients(generator, 0, {parameters});
  for (double bad : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const absl::Status status = optimizer->Step(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("learning_rate"));
  }
  EXPECT_TRUE(SameBits(parameters[0], before[0]));
}

TEST(OptimizerState, HasOneEntryForEachThingALaterStepDependsOn) {
  at::Generator generator = Random();
  EXPECT_TRUE(StateOf(*Make(kPlain, Parameters(generator))).empty());

  const auto sgd = StateOf(*Make(kMomentum, Parameters(generator)));
  ASSERT_EQ(sgd.size(), 3u);
  EXPECT_EQ(sgd.at("momentum/b.weight").dims, (std::vector<int64_t>{3, 2, 3, 3}));

  const auto parameters = Parameters(generator);
  const auto optimizer = Make(kAdamW, parameters);
  for (int step = 0; step < 2; ++step) {
    SetGradients(generator, step, {parameters});
    ASSERT_TRUE(optimizer->Step(0.1).ok());
  }
  const auto adamw = StateOf(*optimizer);
  ASSERT_EQ(adamw.size(), 9u);
  EXPECT_EQ(adamw.at("exp_avg/a.weight").dims, (std::vector<int64_t>{7, 5}));
  EXPECT_EQ(adamw.at("exp_avg_sq/a.bias").type, ElementType::kFloat32);
  EXPECT_EQ(adamw.at("step/a.weight").type, ElementType::kInt64);
  EXPECT_TRUE(adamw.at("step/a.weight").dims.empty());
  EXPECT_EQ(adamw.at("step/a.weight").as<int64_t>()[0], 2);
  EXPECT_EQ(adamw.at("step/a.bias").as<int64_t>()[0], 1);
}

// Sets `state` with one thing wrong, and expects a refusal that says `message` and
// changes nothing.
void ExpectRefused(std::map<std::string, TensorView> state, const std::string& message) {
  at::Generator generator = Random();
  const auto optimizer = Make(kAdamW, Parameters(generator));
  const absl::Status status = optimizer->SetState(state);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  for (const auto& [key, view] : StateOf(*optimizer)) {
    for (std::byte byte : view.bytes) ASSERT_EQ(byte, std::byte{0}) << key;
  }
}

TEST(OptimizerState, StateThatDoesNotFitIsRefusedByKeyAndNothingChanges) {
  at::Generator generator = Random();
  const auto parameters = Parameters(generator);
  const auto optimizer = Make(kAdamW, parameters);
  SetGradients(generator, 0, {parameters});
  ASSERT_TRUE(optimizer->Step(0.1).ok());
  const auto good = StateOf(*optimizer);

  auto state = good;
  // The last key: everything before it would have been set.
  state.erase("step/b.weight");
  ExpectRefused(state, "state step/b.weight is missing");
  state = good;
  state["zeroth/a.bias"] = good.at("exp_avg/a.bias");
  ExpectRefused(state, "state zeroth/a.bias is unknown");
  state = good;
  // As many elements, in another shape.
  state["exp_avg_sq/a.weight"].dims = {5, 7};
  ExpectRefused(state, "state exp_avg_sq/a.weight: is Float [5,7]");
  state = good;
  state["step/b.weight"] = MakeTensorView<int32_t>(ElementType::kInt32, {}, {1});
  ExpectRefused(state, "state step/b.weight: is Int []");
  state = good;
  state["step/b.weight"] = MakeTensorView<int64_t>(ElementType::kInt64, {}, {-1});
  ExpectRefused(state, "state step/b.weight: is -1");
  state = good;
  state["step/b.weight"].bytes = state["step/b.weight"].bytes.first(4);
  ExpectRefused(state, "state step/b.weight: ");
  ExpectRefused({}, "exp_avg/a.bias is missing");
}

TEST(OptimizerCreate, OptionsThatCannotBeUsedAreRefusedByField) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "optimizer"},
      {"sgd { momentum: -0.1 }", "sgd.momentum"},
      {"sgd { momentum: 1 }", "sgd.momentum"},
      {"sgd { momentum: nan }", "sgd.momentum"},
      {"sgd { nesterov: true }", "sgd.nesterov"},
      {"sgd { weight_decay: -1 }", "sgd.weight_decay"},
      {"sgd { weight_decay: inf }", "sgd.weight_decay"},
      {"adamw { beta2: 0.9 epsilon: 1e-8 }", "adamw.beta1"},
      {"adamw { beta1: 1 beta2: 0.9 epsilon: 1e-8 }", "adamw.beta1"},
      {"adamw { beta1: 0.9 beta2: 1 epsilon: 1e-8 }", "adamw.beta2"},
      {"adamw { beta1: 0.9 beta2: nan epsilon: 1e-8 }", "adamw.beta2"},
      {"adamw { beta1: 0.9 beta2: 0.9 }", "adamw.epsilon"},
      {"adamw { beta1: 0.9 beta2: 0.9 epsilon: inf }", "adamw.epsilon"},
      {"adamw { beta1: 0.9 beta2: 0.9 epsilon: 1 weight_decay: -1 }", "adamw.weight_decay"},
  };
  for (const auto& [text, field] : cases) {
    at::Generator generator = Random();
    const auto status = Optimizer::Create(Config(text), Parameters(generator), kNames).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field)) << text;
  }
}

TEST(OptimizerCreate, ParametersThatCannotBeUsedAreRefusedByName) {
  const std::vector<at::Tensor> two = {at::zeros({1}), at::zeros({1})};
  const auto message = [](std::vector<at::Tensor> parameters, std::vector<std::string> names) {
    const auto status = Optimizer::Create(Config(kPlain), parameters, names).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message(two, {"w"}), HasSubstr("1 names for 2 parameters"));
  EXPECT_THAT(message(two, {"w", "w"}), HasSubstr("named w"));
  EXPECT_THAT(message({two[0], at::Tensor()}, {"v", "w"}), HasSubstr("w is undefined"));
  EXPECT_THAT(message({two[0], at::zeros({1}, at::kHalf)}, {"v", "w"}), HasSubstr("w is Half"));
}

TEST(OptimizerStep, WhatLibTorchThrowsBecomesAStatus) {
  at::Tensor parameter = at::zeros({2});
  auto optimizer = Optimizer::Create(Config(kPlain), {parameter}, {"w"});
  ASSERT_TRUE(optimizer.ok());
  parameter.mutable_grad() = at::zeros({3});
  const absl::Status status = (*optimizer)->Step(0.1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("optimizer step: "));
}

}  // namespace
}  // namespace distill
