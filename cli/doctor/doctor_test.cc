#include "cli/doctor/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/doctor/fake_machine.h"
#include "cli/version/version.h"
#include "common/files/fake_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/npy_writer.h"
#include "distillation/models/model_directory.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPlan[] = R"(
name: p
data_sets:
  - name: rows
    npy:
      train_examples: {path: train.npy}
      train_labels: {path: train-labels.npy}
      test_examples: {path: test.npy}
      test_labels: {path: test-labels.npy}
    classes: 2
    validation_examples: 2
runs:
  - name: alone
    data_set: rows
    model: {architecture: mlp, widths: [4]}
    schedules:
      learning_rate: {pieces: [{begin_step: 0, end_step: 2, constant: {value: 0.1}}]}
    training: {steps: 2, global_batch_size: 2}
processes: {student_workers: 2, threads: 3}
)";

class DoctorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const ProgramVersion own = ThisVersion("x", "2.11.0");
    for (const char* name : {"coordinator", "teacher_server", "student_worker", "evaluate"}) {
      const std::string path = absl::StrCat("/bin/", name);
      ASSERT_TRUE(files_.MakeDirectories("/bin").ok());
      ASSERT_TRUE(files_.Write(path, "x").ok());
      machine_.programs[path] = VersionJson(own);
    }
    ASSERT_TRUE(files_.MakeDirectories("/plan").ok());
    request_.self = "/bin/distillctl";
    request_.working_directory = "/plan";
    Write("plan.yaml", kPlan);
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
  std::vector<Finding> Look() {
    const auto findings = Examine(machine_, files_, request_);
    EXPECT_TRUE(findings.ok()) << findings.status();
    return findings.value_or(std::vector<Finding>());
  }
  Finding Of(const std::string& check) {
    const std::vector<Finding> findings = Look();
    const auto found = std::ranges::find(findings, check, &Finding::check);
    if (found != findings.end()) return *found;
    ADD_FAILURE() << "no finding of " << check << ":\n" << FindingsText(findings);
    return {};
  }

  FakeMachine machine_;
  FakeFileSystem files_;
  DoctorRequest request_;
};

TEST_F(DoctorTest, OfASoundMachineFindsNothingToMend) {
  const std::vector<Finding> findings = Look();
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.check << ": " << finding.found;
  }
  EXPECT_EQ(findings.size(), 9u);
}

TEST_F(DoctorTest, LooksAtThePlanItsDataAndTheLoadItWouldBe) {
  request_.config = "/plan/plan.yaml";
  EXPECT_EQ(Of("plan").verdict, Verdict::kOk);
  EXPECT_THAT(Of("data rows").found, HasSubstr("4 training, 2 validation, 2 test examples"));
  EXPECT_THAT(Of("threads").found, HasSubstr("6 compute threads (2 processes of 3)"));
}

TEST_F(DoctorTest, NamesWhatIsWrongWithAPlanAndChecksTheMachineAllTheSame) {
  request_.config = "/plan/plan.yaml";
  Write("plan.yaml", "nam: p");
  EXPECT_EQ(Of("plan").verdict, Verdict::kFail);
  EXPECT_THAT(Of("plan").found, HasSubstr("did you mean name? [DST-1101]"));
  // On one line: without the plan's line and the caret below it.
  EXPECT_THAT(Of("plan").found, Not(HasSubstr("^")));
  EXPECT_EQ(Of("memory").verdict, Verdict::kOk);
  request_.config = "/plan/none.yaml";
  EXPECT_THAT(Of("plan").found, HasSubstr("none.yaml"));
}

TEST_F(DoctorTest, NamesADataFileThatIsMissingOrDamaged) {
  request_.config = "/plan/plan.yaml";
  Write("test.npy", "not an array");
  EXPECT_EQ(Of("data rows").verdict, Verdict::kFail);
  EXPECT_THAT(Of("data rows").found, HasSubstr("test.npy"));
  ASSERT_TRUE(files_.RemoveTree("/plan/train.npy").ok());
  EXPECT_THAT(Of("data rows").found, HasSubstr("train.npy"));
}

TEST_F(DoctorTest, OpensTheModelsThatComeFromFilesAsTheProcessesWould) {
  request_.config = "/plan/plan.yaml";
  std::string plan = kPlan;
  const std::string architecture = "{architecture: mlp, widths: [4]}";
  plan.replace(plan.find(architecture), architecture.size(), "{torch_script: {file: net.pt}}");
  Write("plan.yaml", plan);
  ASSERT_TRUE(files_.MakeDirectories("/models").ok());
  ASSERT_TRUE(files_.Write("/models/net.pt", "program").ok());
  EXPECT_THAT(Of("model alone").found, HasSubstr("[DST-2601]"));
  request_.models = {"/models", true};
  EXPECT_EQ(Of("model alone").verdict, Verdict::kFail);
  ASSERT_TRUE(WriteModelManifest(files_, "/models").ok());
  EXPECT_EQ(Of("model alone").found, "net.pt, 7 bytes, is the file in the manifest");
  ASSERT_TRUE(files_.Write("/models/net.pt", "another").ok());
  EXPECT_THAT(Of("model alone").found, HasSubstr("[DST-2603]"));
}

TEST_F(DoctorTest, ReadsNoFurtherFileOnceItIsStopped) {
  request_.config = "/plan/plan.yaml";
  int asked = 0;
  request_.stopped = [&asked] { return ++asked > 1; };
  ASSERT_TRUE(files_.RemoveTree("/plan/test.npy").ok());
  const auto findings = Examine(machine_, files_, request_);
  EXPECT_TRUE(absl::IsCancelled(findings.status())) << findings.status();
  // Before the training files, before the test files, before the answer.
  EXPECT_EQ(asked, 3);
}

TEST_F(DoctorTest, NamesAProgramThatIsMissing) {
  ASSERT_TRUE(files_.RemoveTree("/bin/evaluate").ok());
  EXPECT_EQ(Of("programs").verdict, Verdict::kFail);
  EXPECT_THAT(Of("programs").found, HasSubstr("[DST-6001]"));
}

}  // namespace
}  // namespace distill
