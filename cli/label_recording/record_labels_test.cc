#include "cli/label_recording/record_labels.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(RecordLabelsTest, ProgressCountsWhatWasRecordedNowAndNotWhatWasThere) {
  RecordingProgress progress;
  progress.blocks = 200;
  progress.blocks_kept = progress.blocks_done = 50;
  EXPECT_EQ(RecordingProgressText(progress, 64, absl::ZeroDuration()),
            "labels  50/200 blocks  25%");
  progress.blocks_done = 100;
  EXPECT_EQ(RecordingProgressText(progress, 64, absl::Seconds(5)),
            "labels  100/200 blocks  50%  640 rows/s  ETA 10 s");
}

}  // namespace
}  // namespace distill
