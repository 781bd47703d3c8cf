#include "distillation/models/script_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/create_model.h"
#include "distillation/models/model.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/script_modules.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr int64_t kClasses = 4;

std::unique_ptr<Model> BuiltIn() {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  config.add_widths(7);
  auto model = Model::Create(config, std::vector<int64_t>{2, 3}, kClasses, /*seed=*/5);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

at::Tensor Examples(int64_t n, std::vector<int64_t> dims = {2, 3}) {
  dims.insert(dims.begin(), n);
  int64_t values = 1;
  for (const int64_t dim : dims) values *= dim;
  return at::arange(values, at::kFloat).sin().reshape(dims);
}

absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& bytes,
                                            std::vector<std::string> outputs = {"logits"},
                                            std::vector<uint32_t> dims = {},
                                            std::vector<int64_t> data = {2, 3}) {
  FakeFileSystem files;
  EXPECT_TRUE(WriteModelDirectory(files, "/models", {{"a.pt", bytes}}).ok());
  v1::ModelConfig config;
  v1::ModelFile& file = *config.mutable_torch_script();
  file.set_file("a.pt");
  file.mutable_outputs()->Assign(outputs.begin(), outputs.end());
  file.mutable_example_dims()->Assign(dims.begin(), dims.end());
  const ModelDirectory programs(&files, {.path = "/models", .allow_executable = true});
  return CreateModel(config, data, kClasses, /*seed=*/0, programs);
}

std::string Refusal(const std::string& bytes, std::vector<std::string> outputs = {"logits"},
                    std::vector<uint32_t> dims = {}) {
  const auto model = Load(bytes, std::move(outputs), std::move(dims));
  EXPECT_FALSE(model.ok());
  return std::string(model.status().message());
}

TEST(ScriptModel, ACopyOfAnArchitectureComputesItsLogitsInBothModes) {
  const auto built_in = BuiltIn();
  const auto copy = Load(MlpScript(*built_in->Tensors()));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->config().torch_script().sha256().size(), 64u);
  EXPECT_EQ((*copy)->plan().parameters, built_in->plan().parameters);
  for (const bool training : {true, false}) {
    built_in->SetTraining(training);
    (*copy)->SetTraining(training);
    const auto expected = built_in->Forward(Examples(5));
    const auto actual = (*copy)->Forward(Examples(5));
    ASSERT_TRUE(actual.ok()) << actual.status();
    EXPECT_TRUE(actual->equal(*expected)) << training;
    EXPECT_EQ(actual->requires_grad(), training);
  }
}

TEST(ScriptModel, TheSameBitsComeEachTime) {
  const auto model = Load(ConvNetScript(kClasses, 3), {"logits"}, {1, 2, 3});
  ASSERT_TRUE(model.ok()) << model.status();
  (*model)->SetTraining(false);
  const at::Tensor first = *(*model)->Forward(Examples(5));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(first.equal(*(*model)->Forward(Examples(5))));
}

TEST(ScriptModel, EvaluationChangesNothingAndTrainingUpdatesTheStatistics) {
  const auto loaded = Load(ConvNetScript(kClasses, 3), {"logits"}, {1, 2, 3});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  Model& model = **loaded;
  EXPECT_EQ(model.Parameters().size(), 4u);
  EXPECT_EQ(model.Buffers().size(), 2u);
  const auto mean = [&] {
    const auto tensors = *model.Tensors();
    const auto values = tensors.at("norm.running_mean").as<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  EXPECT_THAT(mean(), ElementsAre(0, 0, 0)) << "the handshake is no training";
  model.SetTraining(false);
  ASSERT_TRUE(model.Forward(Examples(5)).ok());
  EXPECT_THAT(mean(), ElementsAre(0, 0, 0));
  model.SetTraining(true);
  ASSERT_TRUE(model.Forward(Examples(5)).ok());
  EXPECT_NE(mean()[0], 0);
  EXPECT_EQ(model.Tensors()->at("norm.num_batches_tracked").as<int64_t>()[0], 1);
}

TEST(ScriptModel, ATupleIsNamedByOrderAndADictByItsKeys) {
  const auto tensors = *BuiltIn()->Tensors();
  for (const char* result :
       {"(logits, logits + 1.0)", "{'b': logits + 1.0, 'more': x, 'a': logits}"}) {
    const auto model = Load(MlpScript(tensors, result), {"a", "b"});
    ASSERT_TRUE(model.ok()) << result << ": " << model.status();
    (*model)->SetTraining(false);
    EXPECT_THAT((*model)->OutputNames(), ElementsAre("a", "b"));
    const auto outputs = (*model)->Outputs(Examples(3), {"b", "a"});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_TRUE((*outputs)[0].equal((*outputs)[1].add(1.0))) << result;
    EXPECT_TRUE((*outputs)[1].equal(*(*model)->Forward(Examples(3)))) << result;
    EXPECT_EQ((*model)->Outputs(Examples(3), {"hidden"}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(ScriptModel, WhatItDeclaresIsHeldAgainstWhatItDoesBeforeItIsUsed) {
  const auto tensors = *BuiltIn()->Tensors();
  EXPECT_THAT(Refusal(MlpScript(tensors, "logits[:, :2]")),
              HasSubstr("its output 'logits' is Float [3,2] for 3 examples, but must be"));
  EXPECT_THAT(Refusal(MlpScript(tensors, "logits.sum(0, True)")), HasSubstr("Float [1,4] for 3"));
  EXPECT_THAT(Refusal(MlpScript(tensors, "logits.double()")), HasSubstr("Double [3,4]"));
  EXPECT_THAT(Refusal(MlpScript(tensors, "(logits, logits)")),
              HasSubstr("gives 2 outputs, but 1 are declared (logits)"));
  EXPECT_THAT(Refusal(MlpScript(tensors, "{'scores': logits}")),
              HasSubstr("gives no output 'logits'; it gives scores"));
  EXPECT_THAT(Refusal(MlpScript(tensors, "[logits]")), HasSubstr("must return a Tensor, a tuple"));
  EXPECT_THAT(Refusal(MlpScript(tensors), {"logits"}, {7}),
              HasSubstr("example_dims [7] are 7 values, but an example of the data set has 6"));
  // One batch size is not every batch size.
  EXPECT_THAT(Refusal(ScriptOf("return x.reshape([3, -1])[:, :4].contiguous()")),
              HasSubstr("for 1 examples"));
}

TEST(ScriptModel, ExampleDimsOfMoreValuesThanCanBeCountedAreRefused) {
  // Their product is 6 in 64 bits, as many as an example has, and far more in truth.
  EXPECT_THAT(Refusal(MlpScript(*BuiltIn()->Tensors()), {"logits"}, {2112351278, 998034439, 35}),
              HasSubstr("needs more than 2^63 - 1 bytes; write the shape of one example"));
}

constexpr char kFirstFour[] = "return torch.flatten(x, 1)[:, :4].contiguous()";

TEST(ScriptModel, ATensorThatNoCheckpointHoldsIsRefusedByName) {
  const auto refusal = [](const ScriptTensors& tensors) {
    const auto model = Load(ScriptOf(kFirstFour, tensors));
    EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition) << model.status();
    return std::string(model.status().message());
  };
  for (const at::ScalarType type : {at::kBool, at::kChar, at::kShort}) {
    EXPECT_THAT(refusal({.buffers = {{"mask", at::ones({2}, type)}}}),
                HasSubstr(std::string("model file a.pt: buffer mask is ") + c10::toString(type) +
                          ", which checkpoints and exports do not hold; register it as uint8"));
  }
  EXPECT_THAT(refusal({.parameters = {{"scale", at::ones({2}, at::kDouble)}}}),
              HasSubstr("parameter scale is Double, not Float"));
  const at::Tensor row = at::ones({1, 3});
  EXPECT_THAT(refusal({.buffers = {{"repeated", row.expand({4, 3})}}}),
              HasSubstr("buffer repeated is a view, and cannot be restored as one block of values; "
                        "make it dense with .contiguous()"));
  EXPECT_THAT(refusal({.buffers = {{"skipping", at::ones({4, 4}).slice(1, 0, 4, 2)}}}),
              HasSubstr("buffer skipping is a view"));
  EXPECT_THAT(refusal({.parameters = {{"repeated", row.expand({4, 3})}}}),
              HasSubstr("parameter repeated is a view"));
}

TEST(ScriptModel, DenseTensorsOfEveryTypeThatACheckpointHoldsAreTakenAndGiven) {
  ScriptTensors tensors;
  for (const at::ScalarType type :
       {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kByte, at::kInt, at::kLong}) {
    tensors.buffers[c10::toString(type)] = at::ones({2, 3}, type);
  }
  tensors.buffers["empty"] = at::ones({0, 3});
  // Dense, though its rows are not in a row.
  tensors.parameters["transposed"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
  const auto model = Load(ScriptOf(kFirstFour, tensors));
  ASSERT_TRUE(model.ok()) << model.status();
  const auto given = *(*model)->Tensors();
  EXPECT_EQ(given.size(), tensors.buffers.size() + 1);
  EXPECT_THAT(given.at("transposed").as<float>(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_TRUE((*model)->SetTensors(given).ok());
  EXPECT_EQ((*model)->Buffers().size(), 2u) << "float32 alone is averaged over ranks";
}

TEST(ScriptModel, AModuleForOtherExamplesIsRefusedWithTheShapeItWasGiven) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  auto wider = Model::Create(config, std::vector<int64_t>{9}, kClasses, /*seed=*/5);
  const auto model = Load(MlpScript(*(*wider)->Tensors()));
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(model.status().message()),
              HasSubstr("it was given 3 examples, float32 [3,2,3]"));
}

TEST(ScriptModel, WhatIsNoModuleIsRefused) {
  EXPECT_THAT(Refusal("not a zip"),
              HasSubstr("torch_script takes what torch.jit.save wrote, not a state_dict"));
  std::string cut = MlpScript(*BuiltIn()->Tensors());
  cut.resize(cut.size() / 2);
  EXPECT_THAT(Refusal(cut), HasSubstr("model file a.pt"));
}

TEST(ScriptModel, ExamplesAreNotWrittenTo) {
  const auto model = Load(ScriptOf("x.add_(1.0)\n  return x.reshape([-1, 6])[:, :4].contiguous()"));
  ASSERT_TRUE(model.ok()) << model.status();
  (*model)->SetTraining(false);
  const at::Tensor examples = Examples(2);
  ASSERT_TRUE((*model)->Forward(examples).ok());
  EXPECT_TRUE(examples.equal(Examples(2)));
}

TEST(ScriptModel, ItsTensorsAreTakenAndGivenByNameAndItsFileHasThem) {
  const auto first = Load(ConvNetScript(kClasses, 3), {"logits"}, {1, 2, 3});
  const auto second = Load(ConvNetScript(kClasses, 4), {"logits"}, {1, 2, 3});
  ASSERT_TRUE(first.ok() && second.ok());
  (*first)->SetTraining(false);
  (*second)->SetTraining(false);
  const at::Tensor expected = *(*first)->Forward(Examples(5));
  EXPECT_FALSE(expected.equal(*(*second)->Forward(Examples(5))));
  auto tensors = *(*first)->Tensors();
  EXPECT_EQ(tensors.size(), 7u);
  ASSERT_TRUE((*second)->SetTensors(tensors).ok());
  EXPECT_TRUE(expected.equal(*(*second)->Forward(Examples(5))));

  const auto again = Load(*(*second)->Serialized(), {"logits"}, {1, 2, 3});
  ASSERT_TRUE(again.ok()) << again.status();
  (*again)->SetTraining(false);
  EXPECT_TRUE(expected.equal(*(*again)->Forward(Examples(5))));

  tensors.erase("conv");
  EXPECT_THAT(std::string((*second)->SetTensors(tensors).message()),
              HasSubstr("tensor conv is missing"));
}

// tests/testdata/script_net.py made both files with PyTorch.
TEST(ScriptModel, AModuleThatAUserScriptedComputesWhatItDidInPython) {
  PosixFileSystem files;
  const std::string bytes = *files.Read("tests/testdata/scripted_net.pt", 1 << 20);
  const auto recorded =
      nlohmann::json::parse(*files.Read("tests/testdata/scripted_net.json", 1 << 20));
  const auto examples = recorded["examples"].get<std::vector<float>>();
  const auto logits = recorded["logits"].get<std::vector<float>>();
  const auto model = Load(bytes);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->Parameters().size(), 6u);
  (*model)->SetTraining(false);
  const auto computed = (*model)->Forward(at::tensor(examples).reshape({3, 2, 3}));
  ASSERT_TRUE(computed.ok()) << computed.status();
  const std::vector<float> values(computed->const_data_ptr<float>(),
                                  computed->const_data_ptr<float>() + computed->numel());
  EXPECT_THAT(values, Pointwise(FloatNear(1e-6f), logits));
  // It gives one of that name, which could not be told from an architecture's hidden states.
  EXPECT_EQ(Load(bytes, {"logits", "hidden"}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
