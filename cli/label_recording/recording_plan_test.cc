#include "cli/label_recording/recording_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"
#include "distillation/run_config/digests.h"
#include "student_worker/evaluation/finished_plan.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class RecordingPlanTest : public ::testing::Test {
 protected:
  RecordingPlanTest() : plan_(WriteFinishedPlan(files_, "/plan")) {}

  absl::Status Refusal(const RecordingRequest& request) {
    return PlanRecording(files_, plan_, request).status();
  }

  FakeFileSystem files_;
  v1::PlanConfig plan_;
  const RecordingRequest request_ = {"student", "", "/plan/runs", 64};
};

TEST_F(RecordingPlanTest, ItIsOfTheRunsTeacherTrainingSplitAndViews) {
  v1::ViewSpec* view = plan_.mutable_runs(1)->mutable_view();
  view->set_max_shift_pixels(1);
  view->set_views_per_example(3);
  const auto recording = PlanRecording(files_, plan_, request_);
  ASSERT_TRUE(recording.ok()) << recording.status();
  const LabelSetIdentity& identity = recording->identity;
  EXPECT_EQ(identity.fingerprint, recording->order.fingerprint());
  EXPECT_EQ(identity.output, "logits");
  EXPECT_EQ(identity.numerics_class, "");
  EXPECT_EQ(identity.codec, "dense_fp16");
  EXPECT_EQ(identity.examples, 2u);  // and two of the training file are for validation
  EXPECT_EQ(identity.views, 3u);
  EXPECT_EQ(identity.view_seed, plan_.seed());
  EXPECT_EQ(identity.view_spec_digest, ViewSpecDigest(*view));
  EXPECT_EQ(identity.block_rows, 64u);
  EXPECT_EQ(recording->open.fingerprint(), identity.fingerprint);
  EXPECT_TRUE(recording->open.exact());
  EXPECT_EQ(recording->order.model(), "teacher");
  EXPECT_EQ(recording->order.data_set_digest(), identity.data_set_digest);
  EXPECT_EQ(recording->order.serving().max_batch_examples(), 256u);
}

TEST_F(RecordingPlanTest, ViewsWithoutEndAreRefusedWithTheWayOut) {
  plan_.mutable_runs(1)->mutable_view()->set_max_shift_pixels(1);
  EXPECT_EQ(Refusal(request_).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Refusal(request_).message()), HasSubstr("set it to the number"));
}

TEST_F(RecordingPlanTest, WhatIsNotThereIsNamed) {
  EXPECT_THAT(std::string(Refusal({"pupil", "", "/plan/runs", 64}).message()),
              HasSubstr("the plan has no run 'pupil'"));
  EXPECT_THAT(std::string(Refusal({"studnet", "", "/plan/runs", 64}).message()),
              HasSubstr("did you mean student?"));
  EXPECT_THAT(std::string(Refusal({"teacher", "", "/plan/runs", 64}).message()),
              HasSubstr("run 'teacher' has no teacher"));
  EXPECT_THAT(std::string(Refusal({"student", "x", "/plan/runs", 64}).message()),
              HasSubstr("it has t"));
  EXPECT_EQ(Refusal({"student", "", "/none", 64}).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Refusal({"student", "", "/plan/runs", 257}).message()),
              HasSubstr("takes 1 to 256"));
}

TEST_F(RecordingPlanTest, OfSeveralTeachersOneMustBeChosen) {
  v1::TeacherConfig* second = plan_.mutable_runs(1)->add_teachers();
  *second = plan_.runs(1).teachers(0);
  second->set_role("u");
  EXPECT_THAT(std::string(Refusal(request_).message()), HasSubstr("choose one of t, u"));
  EXPECT_TRUE(Refusal({"student", "u", "/plan/runs", 64}).ok());
}

}  // namespace
}  // namespace distill
