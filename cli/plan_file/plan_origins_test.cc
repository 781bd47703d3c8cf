#include "cli/plan_file/plan_origins.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "cli/plan_file/plan_file.h"
#include "common/files/fake_file_system.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kText[] = R"(name: p
seed: 0
data_sets:
- name: d
  npy: {train_examples: {path: /a}, train_labels: {path: /b}, test_examples: {path: /c},
        test_labels: {path: /d}}
  classes: 3
  mean: 0.0
runs:
- name: r
  data_set: d
  model: {architecture: mlp, widths: [4, 5]}
  schedules:
    learning_rate: {pieces: [{constant: {value: 0}}]}
  training:
    steps: 10
    global_batch_size: 2
    keep_checkpoints: 0
    evaluate_every_steps: 0
  labels: {exact: false, codecs: []}
)";

PlanWithOrigins Read(const std::vector<std::string>& settings,
                     std::optional<uint64_t> seed = std::nullopt) {
  FakeFileSystem files;
  EXPECT_TRUE(files.Write("/p.yaml", kText).ok());
  auto read = ReadPlanWithOrigins(files, "/p.yaml", settings, seed);
  EXPECT_TRUE(read.ok()) << read.status();
  return read.ok() ? *std::move(read) : PlanWithOrigins();
}

std::string Shown(const std::vector<std::string>& settings, bool origins = true) {
  const PlanWithOrigins read = Read(settings);
  return ShowPlan(read.plan, read.origins, origins);
}

TEST(PlanOrigins, AValueSaysItsPlaceInTheFileItsSettingOrThatItIsTheDefault) {
  const std::string text = Shown({"runs.r.training.steps=20", "processes={threads: 2}"});
  EXPECT_THAT(text, HasSubstr("name: p  # /p.yaml:1:1\n"));
  EXPECT_THAT(text, HasSubstr("  global_batch_size: 2  # /p.yaml:17:5\n"));
  EXPECT_THAT(text, HasSubstr("  steps: 20  # --set runs.r.training.steps=20\n"));
  EXPECT_THAT(text, HasSubstr("  threads: 2  # --set processes={threads: 2}\n"));
  EXPECT_THAT(text, HasSubstr("  world_size: 1  # default\n"));
  EXPECT_THAT(text, HasSubstr("  max_batch_examples: 256  # default\n"));
}

TEST(PlanOrigins, ASeedOfTheCommandLineSaysSo) {
  const PlanWithOrigins read = Read({}, 7);
  EXPECT_THAT(ShowPlan(read.plan, read.origins, true), HasSubstr("seed: 7  # --seed\n"));
}

TEST(PlanOrigins, AListSaysWhichEntryWasSet) {
  EXPECT_THAT(Shown({"runs.r.model.widths.1=6"}),
              HasSubstr("widths: [4, 6]  # /p.yaml:12:30; [1]: --set runs.r.model.widths.1=6\n"));
}

TEST(PlanOrigins, ZerosAreShownAndWhatIsNotThereIsNot) {
  const std::string text = Shown({}, /*origins=*/false);
  EXPECT_THAT(text, HasSubstr("seed: 0\n"));
  EXPECT_THAT(text, HasSubstr("mean: 0\n"));
  EXPECT_THAT(text, HasSubstr("value: 0\n"));
  EXPECT_THAT(text, HasSubstr("exact: false\n"));
  EXPECT_THAT(text, HasSubstr("evaluate_every_steps: 0\n"));
  EXPECT_THAT(text, HasSubstr("validation_examples: 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("sha256")));
  EXPECT_THAT(text, Not(HasSubstr("labelled_subset")));
  EXPECT_THAT(Shown({}), HasSubstr("validation_examples: 0  # default\n"));
}

TEST(PlanOrigins, AZeroThatMeansTheDefaultSaysSo) {
  const std::string text = Shown({"runs.r.labels.window_steps=0"});
  EXPECT_THAT(text, HasSubstr("keep_checkpoints: 2  # default, for the 0 of /p.yaml:18:5\n"));
  EXPECT_THAT(text, HasSubstr("window_steps: 4  # default, for the 0 of --set "
                              "runs.r.labels.window_steps=0\n"));
  EXPECT_THAT(text, HasSubstr("# default, for the empty value of /p.yaml:20:26\n"));
}

TEST(PlanOrigins, WhatIsShownReadsBackToTheSamePlan) {
  const PlanWithOrigins good = Read({"runs.r.training.steps=3"});
  FakeFileSystem shown;
  ASSERT_TRUE(shown.Write("/q.yaml", ShowPlan(good.plan, good.origins, true)).ok());
  const auto again = ReadPlan(shown, "/q.yaml", {}, std::nullopt);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*again, good.plan));
}

}  // namespace
}  // namespace distill
