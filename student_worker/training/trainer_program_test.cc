// The trainer with models from files.
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "distillation/models/export/manifest.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/script_modules.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/gloo_collectives.h"
#include "student_worker/training/trainer.h"
#include "student_worker/training/trainer_world.h"

namespace distill {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

// `options` with the model from a file.
TrainerOptions FromFile(TrainerOptions options, FakeFileSystem& files, const std::string& program) {
  EXPECT_TRUE(WriteModelDirectory(files, "/models", {{"student.pt", program}}).ok());
  v1::ModelFile& file = *options.run.mutable_model()->mutable_torch_script();
  options.run.mutable_model()->clear_architecture();
  options.run.mutable_model()->clear_widths();
  file.set_file("student.pt");
  file.add_outputs("logits");
  options.programs = ModelDirectory(&files, {.path = "/models", .allow_executable = true});
  return options;
}

std::map<std::string, TensorView> InitialTensors(const TrainerOptions& options) {
  std::map<std::string, TensorView> tensors;
  InWorld(1, options, [&](int, Trainer& trainer) { tensors = *trainer.ModelTensors(); });
  return tensors;
}

TEST(TrainerProgramTest, AScriptedCopyTakesTheStepsOfTheArchitectureBitForBit) {
  FakeFileSystem files;
  const std::string program = MlpScript(InitialTensors(Options(1)));
  for (const int ranks : {1, 2}) {
    EXPECT_EQ(Train(ranks, FromFile(Options(ranks), files, program), 8),
              Train(ranks, Options(ranks), 8))
        << ranks << " ranks";
  }
}

// Nine steps, and the last five of them again by a trainer that has the state of after the fourth.
void ExpectRestoredBitForBit(const TrainerOptions& options,
                             const std::shared_ptr<const DataSet>& data) {
  Safetensors shared, own;
  std::string before, undisturbed;
  InWorld(
      1, options,
      [&](int, Trainer& trainer) {
        for (int64_t step = 0; step < 9; ++step) {
          if (step == 4) {
            shared = *trainer.SharedState(4);
            own = *trainer.RankState(4);
            before = ModelDigest(*trainer.ModelTensors());
          }
          const auto result = trainer.Step(step, Values(), {});
          ASSERT_TRUE(result.ok()) << result.status();
        }
        undisturbed = ModelDigest(*trainer.ModelTensors());
      },
      data);
  EXPECT_NE(before, undisturbed);
  InWorld(
      1, options,
      [&](int, Trainer& trainer) {
        ASSERT_TRUE(trainer.Restore(4, shared, own).ok());
        for (int64_t step = 4; step < 9; ++step) {
          ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        }
        EXPECT_EQ(ModelDigest(*trainer.ModelTensors()), undisturbed);
      },
      data);
}

TEST(TrainerProgramTest, AScriptedStudentWithRunningStatisticsIsRestoredBitForBit) {
  FakeFileSystem files;
  TrainerOptions options = FromFile(Options(1), files, ConvNetScript(/*classes=*/2, /*seed=*/1));
  auto* dims = options.run.mutable_model()->mutable_torch_script()->mutable_example_dims();
  for (const uint32_t dim : {1, 4, 4}) dims->Add(dim);
  ExpectRestoredBitForBit(options, Pictures());
}

TEST(TrainerProgramTest, AScriptedStudentWithNoiseOfItsOwnIsRestoredBitForBit) {
  FakeFileSystem files;
  ExpectRestoredBitForBit(
      FromFile(Options(1), files,
               MlpScript(InitialTensors(Options(1)), "torch.dropout(logits, 0.5, self.training)")),
      Data());
}

// tests/testdata/script_net.py made it with PyTorch: torch.nn with both, and a dict of outputs.
TEST(TrainerProgramTest, AStudentThatAUserScriptedIsTrainedAndRestoredBitForBit) {
  v1::DataSetConfig config;
  config.set_name("rows");
  config.set_classes(4);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<float> values;
  std::vector<int64_t> labels;
  for (int i = 0; i < 24; ++i) {
    for (int at = 0; at < 6; ++at) values.push_back(0.1f * ((i * 7 + at * (1 + i % 4)) % 11));
    labels.push_back(i % 4);
  }
  const auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kFloat32, {24, 2, 3}, values),
      MakeTensorView(ElementType::kInt64, {24}, labels), DataSet::Files::kTraining);
  ASSERT_TRUE(data.ok()) << data.status();
  FakeFileSystem files;
  const auto program = PosixFileSystem().Read("tests/testdata/scripted_net.pt", 1 << 20);
  ASSERT_TRUE(program.ok()) << program.status();
  ExpectRestoredBitForBit(FromFile(Options(1), files, *program), *data);
}

TEST(TrainerProgramTest, ACheckpointOfAnotherModelFileIsRefused) {
  FakeFileSystem files;
  const auto tensors = InitialTensors(Options(1));
  Safetensors shared, own;
  InWorld(1, FromFile(Options(1), files, MlpScript(tensors)), [&](int, Trainer& trainer) {
    shared = *trainer.SharedState(0);
    own = *trainer.RankState(0);
  });
  InWorld(1, FromFile(Options(1), files, MlpScript(tensors, "logits * 2.0")),
          [&](int, Trainer& trainer) {
            const absl::Status status = trainer.Restore(0, shared, own);
            EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
            EXPECT_THAT(std::string(status.message()), HasSubstr("put the former file back"));
          });
}

at::Tensor Halves(std::vector<int64_t> dims, bool trained = true) {
  return at::full(dims, 0.5, at::kFloat).set_requires_grad(trained);
}

constexpr char kTwoHeads[] = R"(x = torch.flatten(x, 1)
  return torch.linear(x, self.weight), torch.linear(x, self.second))";

TEST(TrainerProgramTest, AParameterThatTheTrainedOutputDoesNotDependOnIsRefusedByName) {
  FakeFileSystem files;
  const std::string program =
      ScriptOf(kTwoHeads, {.parameters = {{"weight", Halves({2, 3})}, {"second", Halves({2, 3})}}});
  for (const int ranks : {1, 2}) {
    TrainerOptions options = FromFile(Options(ranks), files, program);
    options.run.mutable_model()->mutable_torch_script()->add_outputs("second");
    InWorld(ranks, options, [&](int, Trainer& trainer) {
      const absl::Status status = trainer.Step(0, Values(), {}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << ranks << " ranks";
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("'logits', does not depend on 1 of the parameters of the model of run "
                            "r (second); take them out"));
    });
  }
}

TEST(TrainerProgramTest, AParameterThatAsksForNoGradientStaysAsItIs) {
  FakeFileSystem files;
  const std::string program = ScriptOf(
      kTwoHeads, {.parameters = {{"weight", Halves({2, 3})}, {"second", Halves({2, 3}, false)}}});
  TrainerOptions options = FromFile(Options(2), files, program);
  options.run.mutable_model()->mutable_torch_script()->add_outputs("second");
  InWorld(2, options, [&](int, Trainer& trainer) {
    for (int64_t step = 0; step < 3; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
    ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
    const auto tensors = *trainer.ModelTensors();
    EXPECT_THAT(tensors.at("second").as<float>(), Each(0.5f));
    EXPECT_THAT(tensors.at("weight").as<float>(), Not(Each(0.5f)));
  });
}

TEST(TrainerProgramTest, RunningStatisticsOfAScriptedStudentBecomeTheMeanOfTheRanks) {
  FakeFileSystem files;
  TrainerOptions options = FromFile(Options(2), files, ConvNetScript(/*classes=*/2, /*seed=*/1));
  auto* dims = options.run.mutable_model()->mutable_torch_script()->mutable_example_dims();
  for (const uint32_t dim : {1, 4, 4}) dims->Add(dim);
  std::vector<std::vector<float>> own(2), agreed(2);
  const auto mean = [](const Trainer& trainer) {
    const auto tensors = *trainer.ModelTensors();
    const auto values = tensors.at("norm.running_mean").as<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  InWorld(
      2, options,
      [&](int rank, Trainer& trainer) {
        for (int64_t step = 0; step < 4; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        own[rank] = mean(trainer);
        const absl::Status status = trainer.AgreeWithOtherRanks();
        ASSERT_TRUE(status.ok()) << status;
        agreed[rank] = mean(trainer);
      },
      Pictures());
  EXPECT_NE(own[0], own[1]);
  EXPECT_EQ(agreed[0], agreed[1]);
  ASSERT_EQ(agreed[0].size(), own[0].size());
  for (size_t i = 0; i < own[0].size(); ++i) {
    EXPECT_EQ(agreed[0][i], (own[0][i] + own[1][i]) / 2) << i;
  }
}

// What a module keeps of the handshake, which is an evaluation, is used in the first step.
TEST(TrainerProgramTest, AModuleThatKeepsATensorOfItsFirstPassIsTrained) {
  FakeFileSystem files;
  const std::string program = ScriptOf(
      R"(if self.kept.numel() == 0:
    self.kept = torch.ones([2])
  return torch.linear(torch.flatten(x, 1), self.weight) * self.kept)",
      {.parameters = {{"weight", Halves({2, 3})}}, .attributes = {{"kept", Halves({0}, false)}}});
  InWorld(1, FromFile(Options(1), files, program), [](int, Trainer& trainer) {
    const auto result = trainer.Step(0, Values(), {});
    EXPECT_TRUE(result.ok()) << result.status();
  });
}

// What makes a trainer of `program`.
absl::Status Creation(const std::string& program) {
  FakeFileSystem files;
  const TrainerOptions options = FromFile(Options(1), files, program);
  FakeKeyValueStore store;
  FakeClock clock;
  auto collectives = ConnectGloo({}, &store);
  if (!collectives.ok()) return collectives.status();
  PhaseClock phases(&clock);
  return Trainer::Create(options, Data(), collectives->get(), &phases).status();
}

TEST(TrainerProgramTest, ParametersThatShareMemoryAreRefusedByName) {
  constexpr char kBoth[] = "return torch.linear(torch.flatten(x, 1), self.a + self.b)";
  const at::Tensor whole = at::full({3, 3}, 0.5, at::kFloat);
  const auto rows = [&](int64_t begin) {
    return whole.slice(0, begin, begin + 2).detach().set_requires_grad(true);
  };
  // The same values, and a row in common.
  for (const int64_t begin : {0, 1}) {
    const absl::Status tied =
        Creation(ScriptOf(kBoth, {.parameters = {{"a", rows(begin)}, {"b", rows(0)}}}));
    EXPECT_EQ(tied.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(tied.message()),
                HasSubstr("model file student.pt: parameters a and b share memory"));
  }
}

TEST(TrainerProgramTest, ParametersWithoutValuesAndPartsOfOneTensorShareNoMemory) {
  const at::Tensor whole = at::full({4, 3}, 0.5, at::kFloat);
  const auto rows = [&](int64_t begin, int64_t end) {
    return whole.slice(0, begin, end).detach().set_requires_grad(true);
  };
  const absl::Status status = Creation(ScriptOf(
      "return torch.linear(torch.flatten(x, 1), self.a + self.b)",
      {.parameters = {
           {"a", rows(0, 2)}, {"b", rows(2, 4)}, {"none", Halves({0})}, {"nor", Halves({0, 3})}}}));
  EXPECT_TRUE(status.ok()) << status;
}

TEST(TrainerProgramTest, AModuleThatCannotBeTrainedIsRefusedAndMayStillBeExported) {
  FakeFileSystem files;
  TrainerOptions options =
      FromFile(Options(1), files, ScriptOf("return torch.flatten(x, 1)[:, :2].contiguous()"));
  FakeKeyValueStore store;
  FakeClock clock;
  auto collectives = ConnectGloo({}, &store);
  ASSERT_TRUE(collectives.ok()) << collectives.status();
  PhaseClock phases(&clock);
  const auto refused = Trainer::Create(options, Data(), collectives->get(), &phases);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("export_only: true"));

  options.run.set_export_only(true);
  const auto exporting = Trainer::Create(options, Data(), collectives->get(), &phases);
  ASSERT_TRUE(exporting.ok()) << exporting.status();
  const auto check = (*exporting)->MakeExportCheck();
  ASSERT_TRUE(check.ok()) << check.status();
  v1::ExportManifest manifest;
  (*exporting)->DescribeModel(manifest);
  EXPECT_EQ(manifest.model().torch_script().sha256().size(), 64u);
  EXPECT_EQ(manifest.parameters(), 0u);
}

}  // namespace
}  // namespace distill
