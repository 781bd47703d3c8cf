#include "cli/plan_file/plan_file.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "common/config/config_writer.h"
#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr char kExample[] = "examples/fashion_mnist.yaml";

std::string Refusal(const std::vector<std::string>& settings) {
  PosixFileSystem files;
  const auto plan = ReadPlan(files, kExample, settings, std::nullopt);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

TEST(PlanFile, EveryExampleIsValid) {
  PosixFileSystem files;
  for (const char* example : {"fashion_mnist", "fashion_mnist_recorded", "small", "own_data",
                              "tabular", "two_teachers"}) {
    const auto plan =
        ReadPlan(files, std::string("examples/") + example + ".yaml", {}, std::nullopt);
    EXPECT_TRUE(plan.ok()) << example << ": " << plan.status();
  }
}

TEST(PlanFile, TheExampleIsReadResolvedAndChecked) {
  PosixFileSystem files;
  const auto plan = ReadPlan(files, kExample, {}, std::nullopt);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->seed(), 1u);
  EXPECT_EQ(plan->runs(2).training().steps(), 1400);
  EXPECT_EQ(plan->runs(2).teachers(0).outputs(0).name(), "logits");
}

TEST(PlanFile, WhatIsShownReadsBackToTheSamePlan) {
  PosixFileSystem files;
  const auto plan = ReadPlan(files, kExample, {}, std::nullopt);
  ASSERT_TRUE(plan.ok()) << plan.status();
  FakeFileSystem shown;
  ASSERT_TRUE(shown.Write("/shown.yaml", RenderYaml(*plan)).ok());
  const auto again = ReadPlan(shown, "/shown.yaml", {}, std::nullopt);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*plan, *again));
}

TEST(PlanFile, SettingsAndSeedComeOverTheFile) {
  PosixFileSystem files;
  const auto plan = ReadPlan(files, kExample, {"runs.distilled.training.steps=7", "seed=5"}, 9);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->runs(2).training().steps(), 7);
  EXPECT_EQ(plan->seed(), 9u);
}

TEST(PlanFile, AProblemHasItsPlaceInTheFile) {
  const std::string message = Refusal({"runs.alone.training.steps=0", "runs.teacher.data_set=x"});
  EXPECT_THAT(message, HasSubstr("runs[0].data_set: there is no data set 'x'"));
  EXPECT_THAT(message, HasSubstr("--set runs.alone.training.steps=0: runs[1].training.steps"));
}

TEST(PlanFile, AnUnknownArchitectureOrCodecIsRefusedByName) {
  EXPECT_THAT(Refusal({"runs.teacher.model.architecture=vit"}), HasSubstr("runs[0].model"));
  EXPECT_THAT(Refusal({"runs.distilled.labels={codecs: [zip]}"}), HasSubstr("'zip'"));
}

TEST(PlanFile, AProblemShowsItsLineWithACaretAndHasAnId) {
  FakeFileSystem files;
  ASSERT_TRUE(files.Write("/plan.yaml", "name: x\nseed: three\nrnus: []\n").ok());
  const auto plan = ReadPlan(files, "/plan.yaml", {}, std::nullopt);
  EXPECT_EQ(std::string(plan.status().message()),
            "/plan.yaml:2:7: seed: expects a whole number, has \"three\" [DST-1102]\n"
            "    seed: three\n"
            "          ^\n"
            "/plan.yaml:3:1: unknown field \"rnus\"; did you mean runs?\n"
            "    rnus: []\n"
            "    ^");
  EXPECT_EQ(ErrorIdOf(plan.status()), ErrorId::kIllTypedValue);
  EXPECT_EQ(ErrorIdOf(ReadPlan(files, "/none.yaml", {}, std::nullopt).status()),
            ErrorId::kPlanUnreadable);
}

TEST(PlanFile, AMisspeltFieldIsNamedWithLineColumnAndTheNearestOne) {
  FakeFileSystem files;
  ASSERT_TRUE(files.Write("/plan.yaml", "name: x\nsede: 3\n").ok());
  const auto plan = ReadPlan(files, "/plan.yaml", {}, std::nullopt);
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("/plan.yaml:2:1"));
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("seed"));
}

TEST(PlanFile, DataFilesAreRelativeToThePlan) {
  PosixFileSystem real;
  FakeFileSystem files;
  ASSERT_TRUE(files.MakeDirectories("/plans").ok());
  ASSERT_TRUE(files.Write("/plans/p.yaml", *real.Read(kExample, 1 << 20)).ok());
  const auto plan = ReadPlan(files, "/plans/p.yaml",
                             {"data_sets.fashion_mnist.idx.train_images.path=a.gz"}, std::nullopt);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->data_sets(0).idx().train_images().path(), "/plans/a.gz");
}

TEST(PlanFile, DataFilesOfARelativePlanDoNotDependOnWhoReadsTheResolvedPlan) {
  PosixFileSystem real;
  FakeFileSystem files;
  ASSERT_TRUE(files.Write("p.yaml", *real.Read(kExample, 1 << 20)).ok());
  const auto plan =
      ReadPlan(files, "p.yaml", {"data_sets.fashion_mnist.idx.train_images.path=a.gz"},
               std::nullopt, "/home/user");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->data_sets(0).idx().train_images().path(), "/home/user/a.gz");
}

TEST(PlanFile, ALabelSetIsRelativeToThePlanToo) {
  PosixFileSystem real;
  FakeFileSystem files;
  ASSERT_TRUE(files.MakeDirectories("/plans").ok());
  ASSERT_TRUE(files.Write("/plans/p.yaml", *real.Read(kExample, 1 << 20)).ok());
  auto plan =
      ReadPlan(files, "/plans/p.yaml",
               {"runs.distilled.teachers=[{role: teacher, recorded_labels: set}]"}, std::nullopt);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->runs(2).teachers(0).recorded_labels(), "/plans/set");
}

TEST(PlanFile, AMissingFileIsNotFound) {
  FakeFileSystem files;
  EXPECT_EQ(ReadPlan(files, "/none.yaml", {}, std::nullopt).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace distill
