#include "cli/plan_inputs/plan_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/plan_file/plan_file.h"
#include "common/files/fake_file_system.h"
#include "common/status/error_id.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/npy_writer.h"
#include "distillation/label_sets/label_set_for_test.h"
#include "distillation/label_sets/run_label_set.h"
#include "distillation/models/model_directory.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr char kPlan[] = R"(
name: p
data_sets:
  - name: rows
    npy:
      train_examples: {path: train.npy}
      train_labels: {path: train-labels.npy}
      test_examples: {path: test.npy}
      test_labels: {path: test-labels.npy}
    classes: 3
    validation_examples: 2
runs:
  - name: alone
    data_set: rows
    model: {architecture: mlp, widths: [4]}
    schedules:
      learning_rate: {pieces: [{begin_step: 0, end_step: 2, constant: {value: 0.1}}]}
    training: {steps: 2, global_batch_size: 2}
)";
constexpr char kTeacher[] = R"(
    teachers: [{role: sage, recorded_labels: set}]
    objective: [{name: soft, soft_kl: {teacher: sage}}]
)";

class PlanInputsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files_.MakeDirectories("/plan/set").ok());
    for (const auto& [part, count] : {std::pair("train", 6), std::pair("test", 2)}) {
      WriteArray(absl::StrCat(part, ".npy"),
                 MakeTensorView(ElementType::kFloat32, {count, 3},
                                std::vector<float>(3 * static_cast<size_t>(count), 0.5F)));
      WriteArray(absl::StrCat(part, "-labels.npy"),
                 MakeTensorView(ElementType::kInt64, {count},
                                std::vector<int64_t>(static_cast<size_t>(count), 1)));
    }
  }
  void Write(const std::string& name, std::string_view bytes) {
    ASSERT_TRUE(files_.Write("/plan/" + name, bytes).ok());
  }
  void WriteArray(const std::string& name, const TensorView& array) {
    const auto bytes = NpyBytes(array);
    ASSERT_TRUE(bytes.ok());
    Write(name, *bytes);
  }
  // `text` with the settings.
  v1::PlanConfig Plan() {
    Write("plan.yaml", text_);
    const auto plan = ReadPlan(files_, "/plan/plan.yaml", settings_, std::nullopt);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.value_or(v1::PlanConfig());
  }
  std::vector<PlanInput> Inputs() {
    return ReadPlanInputs(files_, Plan(), ModelDirectory(&files_, models_), [] { return false; });
  }
  absl::Status Problems() { return CheckUsable(Inputs()); }
  PlanInput Of(const std::string& name) {
    const std::vector<PlanInput> inputs = Inputs();
    const auto found = std::ranges::find(inputs, name, &PlanInput::name);
    if (found != inputs.end()) return *found;
    ADD_FAILURE() << "nothing is said of " << name;
    return {};
  }
  // The set that `run alone` asks of the teacher.
  LabelSetIdentity SetAskedFor() {
    const v1::PlanConfig plan = Plan();
    LabelSetIdentity identity =
        LabelSetOf(plan.runs(0), plan.data_sets(0), plan.seed(), "logits", /*examples=*/4);
    identity.fingerprint = "teacher";
    identity.numerics_class = "cpu";
    identity.codec = "dense_fp16";
    identity.block_rows = 64;
    identity.part_blocks = 64;
    return identity;
  }

  FakeFileSystem files_;
  std::string text_ = kPlan;
  std::vector<std::string> settings_;
  ModelDirectory::Options models_;
};

TEST_F(PlanInputsTest, MissingDataFilesAreAllNamed) {
  text_ += kTeacher;
  Write("set/manifest.labelset", "");
  EXPECT_TRUE(CheckDataFiles(files_, Plan()).ok());
  for (const char* file : {"train-labels.npy", "test.npy", "set/manifest.labelset"}) {
    ASSERT_TRUE(files_.RemoveTree(absl::StrCat("/plan/", file)).ok());
  }
  const absl::Status status = CheckDataFiles(files_, Plan());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("\ndata_sets[0].npy.train_labels: /plan/train-labels.npy"));
  EXPECT_THAT(message, HasSubstr("\ndata_sets[0].npy.test_examples: /plan/test.npy"));
  EXPECT_THAT(message, HasSubstr("\nruns[0].teachers[0].recorded_labels: "));
  EXPECT_THAT(message, HasSubstr("distillctl label"));
}

TEST_F(PlanInputsTest, SoundFilesAreCounted) {
  EXPECT_EQ(Of("data rows").found, "4 training, 2 validation, 2 test examples");
  EXPECT_TRUE(Problems().ok()) << Problems();
}

TEST_F(PlanInputsTest, AFileThatIsDamagedIsNamedWithItsDataSet) {
  Write("test.npy", "not an array");
  EXPECT_THAT(std::string(Of("data rows").status.message()), HasSubstr("/plan/test.npy"));
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("data rows: /plan/test.npy"));
  EXPECT_TRUE(ErrorIdOf(Problems()).has_value());
}

TEST_F(PlanInputsTest, TestDataOfAnotherShapeThanTheTrainingDataAreRefusedWithWhatToDo) {
  WriteArray("test.npy",
             MakeTensorView(ElementType::kFloat32, {2, 4}, std::vector<float>(8, 0.5F)));
  EXPECT_EQ(Problems().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Problems().message()),
              HasSubstr("data rows: a training example is [3], but a test example [4]"));
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("; correct data_sets"));
}

TEST_F(PlanInputsTest, ARunThatNeedsMoreDataThanThereIsIsNamed) {
  settings_ = {"runs.alone.training.global_batch_size=6"};
  EXPECT_TRUE(Of("data rows").status.ok());
  EXPECT_THAT(std::string(Problems().message()),
              HasSubstr("run alone: a global batch of 6 is more than the 4 examples"));
  settings_ = {"runs.alone.labelled_subset.examples=5"};
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("run alone: "));
}

TEST_F(PlanInputsTest, ALabelSetOfWhatTheRunTrainsOnIsTaken) {
  text_ += kTeacher;
  ASSERT_TRUE(FillAll(&files_, "/plan/set", SetAskedFor()).ok());
  EXPECT_TRUE(Problems().ok()) << Problems();
  EXPECT_THAT(Of("labels alone/sage").found, HasSubstr("4 rows of 3 classes in /plan/set"));
}

TEST_F(PlanInputsTest, ALabelSetOfOtherDataIsRefused) {
  text_ += kTeacher;
  LabelSetIdentity other = SetAskedFor();
  other.data_set_digest = "of other files";
  ASSERT_TRUE(FillAll(&files_, "/plan/set", other).ok());
  EXPECT_EQ(ErrorIdOf(Problems()), ErrorId::kLabelSetOfOthers);
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("labels alone/sage: "));
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("data set digest"));
}

TEST_F(PlanInputsTest, ALabelSetThatIsDamagedIsRefused) {
  text_ += kTeacher;
  ASSERT_TRUE(FillAll(&files_, "/plan/set", SetAskedFor()).ok());
  Write("set/blocks-00000.labels", "torn");
  EXPECT_EQ(ErrorIdOf(Problems()), ErrorId::kLabelSetDamaged);
  EXPECT_THAT(Of("labels alone/sage").fix, HasSubstr("record it again"));
}

TEST_F(PlanInputsTest, ModelsThatComeFromFilesAreOpenedAsTheProcessesWould) {
  const std::string architecture = "{architecture: mlp, widths: [4]}";
  text_ = absl::StrReplaceAll(text_, {{architecture, "{torch_script: {file: net.pt}}"}});
  ASSERT_TRUE(files_.MakeDirectories("/models").ok());
  ASSERT_TRUE(files_.Write("/models/net.pt", "program").ok());
  EXPECT_EQ(ErrorIdOf(Problems()), ErrorId::kProgramsNotAllowed);
  models_ = {"/models", true};
  EXPECT_FALSE(Problems().ok());
  ASSERT_TRUE(WriteModelManifest(files_, "/models").ok());
  EXPECT_EQ(Of("model alone").found, "net.pt, 7 bytes, is the file in the manifest");
  ASSERT_TRUE(files_.Write("/models/net.pt", "another").ok());
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("model alone: "));
  EXPECT_THAT(MessageWithId(Problems()), HasSubstr("[DST-2603]"));
}

TEST_F(PlanInputsTest, AllThatIsWrongIsToldWithTheCodeOfTheFirst) {
  text_ += kTeacher;
  LabelSetIdentity other = SetAskedFor();
  other.data_set_digest = "of other files";
  ASSERT_TRUE(FillAll(&files_, "/plan/set", other).ok());
  settings_ = {"runs.alone.training.global_batch_size=6"};
  EXPECT_EQ(Problems().code(), Of("run alone").status.code());
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("run alone: a global batch of 6"));
  EXPECT_THAT(std::string(Problems().message()), HasSubstr("\nlabels alone/sage: "));
}

TEST_F(PlanInputsTest, NoFurtherFileIsReadOnceItIsStopped) {
  text_ += kTeacher;
  int asked = 0;
  const std::vector<PlanInput> inputs =
      ReadPlanInputs(files_, Plan(), ModelDirectory(&files_, models_), [&] { return ++asked > 1; });
  // Before the training files, the label set and the test files.
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(inputs.empty());
}

}  // namespace
}  // namespace distill
