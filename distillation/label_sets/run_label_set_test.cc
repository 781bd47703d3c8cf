#include "distillation/label_sets/run_label_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distillation/label_sets/label_set_for_test.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::DataSetConfig Data() {
  v1::DataSetConfig data;
  data.set_classes(3);
  return data;
}

TEST(RunLabelSetTest, ARunWithoutAugmentationAsksForTheUnAugmentedViewWhateverItsSeed) {
  v1::RunConfig run;
  const LabelSetIdentity asked = LabelSetOf(run, Data(), /*seed=*/7, "logits", 75);
  EXPECT_EQ(asked.views, 0u);
  EXPECT_EQ(asked.view_seed, 0u);
  EXPECT_EQ(asked, LabelSetOf(run, Data(), /*seed=*/8, "logits", 75));
}

TEST(RunLabelSetTest, ARunWithAugmentationAsksForItsViewsOfItsSeed) {
  v1::RunConfig run;
  run.mutable_view()->set_horizontal_flip(true);
  run.mutable_view()->set_views_per_example(2);
  const LabelSetIdentity asked = LabelSetOf(run, Data(), /*seed=*/7, "logits", 75);
  EXPECT_EQ(asked.views, 2u);
  EXPECT_EQ(asked.view_seed, 7u);
}

TEST(RunLabelSetTest, OfWhatWasRecordedForTheRunAnyCodecNumericsClassAndLayoutWillDo) {
  v1::RunConfig run;
  run.mutable_view()->set_max_shift_pixels(1);
  run.mutable_view()->set_views_per_example(2);
  LabelSetIdentity held = SmallIdentity();
  held.data_set_digest = DataSetDigest(Data());
  held.view_spec_digest = ViewSpecDigest(run.view());
  LabelSetIdentity asked = LabelSetOf(run, Data(), held.view_seed, held.output, held.examples);
  asked.fingerprint = held.fingerprint;
  EXPECT_EQ(CheckHeld(asked, held), absl::OkStatus());
  ++asked.view_seed;
  EXPECT_FALSE(CheckHeld(asked, held).ok());
}

TEST(RunLabelSetTest, ViewsThatAreDrawnAnewInEveryEpochAreRefusedWithTheWayOut) {
  v1::ViewSpec view;
  EXPECT_EQ(CheckCanBeRecorded(view), absl::OkStatus());
  view.set_horizontal_flip(true);
  EXPECT_EQ(CheckCanBeRecorded(view).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(CheckCanBeRecorded(view).message()), HasSubstr("views_per_example"));
  view.set_views_per_example(4);
  EXPECT_EQ(CheckCanBeRecorded(view), absl::OkStatus());
}

}  // namespace
}  // namespace distill
