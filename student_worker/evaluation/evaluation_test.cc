#include "student_worker/evaluation/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"
#include "distillation/models/export/export.h"
#include "distillation/run_config/digests.h"
#include "student_worker/evaluation/finished_plan.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kRuns[] = "/d/runs";
constexpr char kStudent[] = "/d/runs/student/export/";

// Counts how often the content of each file is read.
class CountingFiles : public FakeFileSystem {
 public:
  absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes) override {
    ++reads[path];
    return FakeFileSystem::Read(path, max_bytes);
  }
  std::map<std::string, int> reads;
};

// A pass takes 3 ms.
class SteadyClock : public FakeClock {
 public:
  absl::Duration MonotonicNow() override {
    Advance(absl::Milliseconds(3));
    ++readings;
    return FakeClock::MonotonicNow();
  }
  int readings = 0;
};

class EvaluatePlanTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::Report> Evaluate() { return EvaluatePlan(files_, clock_, kRuns, plan_); }
  std::string ErrorMessage() { return std::string(Evaluate().status().message()); }

  CountingFiles files_;
  SteadyClock clock_;
  v1::PlanConfig plan_ = WriteFinishedPlan(files_, "/d");
};

TEST_F(EvaluatePlanTest, MeasuresEveryRunOnTheTestSplit) {
  const auto report = Evaluate();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->plan(), "toy");
  EXPECT_EQ(report->seed(), 11u);
  EXPECT_EQ(report->config_digest(), PlanDigest(plan_));
  EXPECT_EQ(report->reference(), "teacher");
  ASSERT_EQ(report->models().size(), 2u);
  const v1::ModelReport& teacher = report->models().at("teacher");
  EXPECT_EQ(teacher.test_accuracy(), 0.5);
  EXPECT_EQ(teacher.agreement(), 1);
  EXPECT_EQ(teacher.parameters(), 12u);
  EXPECT_EQ(teacher.multiply_adds(), 9u);
  EXPECT_EQ(teacher.file_bytes(), *files_.Size("/d/runs/teacher/export/weights.safetensors"));
  EXPECT_EQ(teacher.latency_ms(), 3);
  EXPECT_EQ(teacher.fingerprint(),
            ReadExportManifest(files_, "/d/runs/teacher/export")->fingerprint());
  EXPECT_EQ(teacher.steps(), 7);
  const v1::ModelReport& student = report->models().at("student");
  EXPECT_EQ(student.test_accuracy(), 0.25);
  EXPECT_EQ(student.agreement(), 0.5);
  EXPECT_EQ(student.export_max_difference(), 0x1p-15);
  EXPECT_EQ(clock_.readings, 2 * 2 * 200);
}

TEST_F(EvaluatePlanTest, DataFilesAreReadOnceForAllRuns) {
  ASSERT_TRUE(Evaluate().ok());
  for (const char* name : {"test_images", "test_labels", "train_images", "train_labels"}) {
    EXPECT_EQ(files_.reads[std::string("/d/data/") + name], 1) << name;
  }
}

TEST_F(EvaluatePlanTest, TheTestSplitIsNotReadBeforeEveryExportIsVerified) {
  ASSERT_TRUE(files_.RemoveTree("/d/data/train_labels").ok());
  EXPECT_THAT(ErrorMessage(), HasSubstr("run 'teacher': "));
  EXPECT_EQ(files_.reads["/d/data/test_images"], 0);
}

TEST_F(EvaluatePlanTest, ARunWithoutAnExportIsNotFoundAndNamed) {
  ASSERT_TRUE(files_.RemoveTree("/d/runs/student").ok());
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(ErrorMessage(), AllOf(HasSubstr("run 'student': "), HasSubstr("let it finish")));
}

TEST_F(EvaluatePlanTest, DamagedOrMissingWeightsAreDataLossAndNameTheRun) {
  const std::string weights = std::string(kStudent) + "weights.safetensors";
  std::string bytes = *files_.Read(weights, 1 << 20);
  bytes.back() ^= 1;
  ASSERT_TRUE(files_.Write(weights, bytes).ok());
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorMessage(), HasSubstr("run 'student': "));
  ASSERT_TRUE(files_.RemoveTree(weights).ok());
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(EvaluatePlanTest, AModelThatComputesOtherLogitsThanRecordedIsDataLoss) {
  // The teacher's recorded logits lie beside the student's weights.
  const std::string other = *files_.Read("/d/runs/teacher/export/check.safetensors", 1 << 20);
  ASSERT_TRUE(files_.Write(std::string(kStudent) + "check.safetensors", other).ok());
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(ErrorMessage(), AllOf(HasSubstr("run 'student': "), HasSubstr("check: example 1")));
}

TEST_F(EvaluatePlanTest, WithoutAValidationSplitTheRecordedIdsAreOfTheTrainingSplit) {
  // The first two training images give the teacher other logits than the last two.
  plan_.mutable_data_sets(0)->set_validation_examples(0);
  EXPECT_THAT(ErrorMessage(), HasSubstr("run 'teacher': check: example "));
}

TEST_F(EvaluatePlanTest, AnExportForOtherDataIsRefusedBeforeTheTestSplitIsRead) {
  plan_.mutable_data_sets(0)->set_classes(4);
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ErrorMessage(), HasSubstr("run 'teacher': "));
  EXPECT_EQ(files_.reads["/d/data/test_images"], 0);
}

// Turns the images of IDX files, [4,1,3], to [4,3,1].
void Turn(FileSystem& files, const std::string& path) {
  std::string bytes = *files.Read(path, 1 << 20);
  std::swap(bytes[11], bytes[15]);
  ASSERT_TRUE(files.Write(path, bytes).ok());
}

TEST_F(EvaluatePlanTest, ATestSplitOfAnotherShapeIsRefused) {
  Turn(files_, "/d/data/test_images");
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ErrorMessage(), HasSubstr("run 'teacher': "));
}

TEST_F(EvaluatePlanTest, AReferenceThatCannotReadARunsExamplesAgreesWithNone) {
  v1::DataSetConfig& turned = *plan_.add_data_sets();
  turned = plan_.data_sets(0);
  turned.set_name("turned");
  for (v1::ArrayFile* file : {turned.mutable_idx()->mutable_train_images(),
                              turned.mutable_idx()->mutable_test_images()}) {
    const std::string bytes = *files_.Read(file->path(), 1 << 20);
    file->set_path(file->path() + "_turned");
    ASSERT_TRUE(files_.Write(file->path(), bytes).ok());
    Turn(files_, file->path());
  }
  plan_.mutable_runs(1)->set_data_set("turned");
  Export student = *ReadExport(files_, kStudent);
  student.manifest.set_example_dims(0, 3);
  student.manifest.set_example_dims(1, 1);
  ASSERT_TRUE(WriteExport(files_, kStudent, student.manifest, student.tensors, student.check).ok());
  const auto report = Evaluate();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->models().at("student").test_accuracy(), 0.25);
  EXPECT_EQ(report->models().at("student").agreement(), 0);
}

TEST_F(EvaluatePlanTest, APlanWithoutRunsIsRefused) {
  plan_.clear_runs();
  EXPECT_EQ(Evaluate().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EvaluatePlanTest, EveryFailureOfTheDiskFailsTheEvaluationAndIsNoProblemOfTheData) {
  const int64_t before = files_.operations();
  ASSERT_TRUE(Evaluate().ok());
  const int64_t operations = files_.operations() - before;
  ASSERT_GT(operations, 8);
  for (int64_t n = 1; n <= operations; ++n) {
    files_.FailOperation(n, absl::UnavailableError("the disk is away"));
    const absl::Status status = Evaluate().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << n << ": " << status;
    EXPECT_THAT(std::string(status.message()), StartsWith("run '")) << n;
    EXPECT_FALSE(IsDataProblem(status));
  }
  EXPECT_TRUE(IsDataProblem(absl::DataLossError("weights")));
}

v1::PlanConfig Plan(const std::vector<std::pair<std::string, std::string>>& run_and_teacher) {
  v1::PlanConfig plan;
  for (const auto& [name, teacher] : run_and_teacher) {
    v1::RunConfig* run = plan.add_runs();
    run->set_name(name);
    if (!teacher.empty()) run->add_teachers()->set_run(teacher);
  }
  return plan;
}

TEST(ReferenceRunTest, IsTheLastTeacherInThePlanOrTheFirstRun) {
  EXPECT_EQ(ReferenceRun(Plan({{"a", ""}, {"b", "a"}, {"c", "b"}, {"d", "a"}})), "b");
  EXPECT_EQ(ReferenceRun(Plan({{"student", "teacher"}, {"teacher", ""}})), "teacher");
  EXPECT_EQ(ReferenceRun(Plan({{"a", ""}, {"b", ""}})), "a");
  EXPECT_EQ(ReferenceRun({}), "");
}

}  // namespace
}  // namespace distill
