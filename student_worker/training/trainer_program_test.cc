// The trainer with models from files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/export/manifest.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/script_modules.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/gloo_collectives.h"
#include "student_worker/training/trainer.h"
#include "student_worker/training/trainer_world.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

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

// Of a module with running statistics and with noise of its own.
TEST(TrainerProgramTest, AScriptedStudentIsRestoredBitForBit) {
  for (const bool noise : {false, true}) {
    FakeFileSystem files;
    const std::string program =
        noise ? MlpScript(InitialTensors(Options(1)), "torch.dropout(logits, 0.5, self.training)")
              : ConvNetScript(/*classes=*/2, /*seed=*/1);
    TrainerOptions options = FromFile(Options(1), files, program);
    if (!noise) {
      auto* dims = options.run.mutable_model()->mutable_torch_script()->mutable_example_dims();
      for (const uint32_t dim : {1, 4, 4}) dims->Add(dim);
    }
    const auto data = noise ? Data() : Pictures();
    Safetensors shared, own;
    std::string undisturbed;
    InWorld(
        1, options,
        [&](int, Trainer& trainer) {
          for (int64_t step = 0; step < 9; ++step) {
            if (step == 4) {
              shared = *trainer.SharedState(4);
              own = *trainer.RankState(4);
            }
            const auto result = trainer.Step(step, Values(), {});
            ASSERT_TRUE(result.ok()) << result.status();
          }
          undisturbed = ModelDigest(*trainer.ModelTensors());
        },
        data);
    InWorld(
        1, options,
        [&](int, Trainer& trainer) {
          ASSERT_TRUE(trainer.Restore(4, shared, own).ok());
          for (int64_t step = 4; step < 9; ++step) {
            ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
          }
          EXPECT_EQ(ModelDigest(*trainer.ModelTensors()), undisturbed) << noise;
        },
        data);
  }
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
