#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "student_worker/label_source/label_actions.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class LabelSourceWaitsTest : public ::testing::Test {
 protected:
  LabelSourceWaitsTest() : source_(Steps(), [] { return 0.5; }, absl::ZeroDuration()) {}

  static LabelSourceOptions Steps() {
    LabelSourceOptions options;
    options.end_step = 10;
    return options;
  }
  void Start() { source_.SetEndpoints({{"t0", 1, "a:1"}, {"t1", 1, "b:1"}}, absl::ZeroDuration()); }

  LabelSource source_;
};

TEST_F(LabelSourceWaitsTest, NamesTheTeacherThatWasAskedAndForHowLong) {
  Start();
  source_.StreamOpened("t0", "class", absl::Seconds(1));
  EXPECT_EQ(source_.WaitsFor(absl::Seconds(43.7)), "t0 at a:1 was asked 42s ago");
}

TEST_F(LabelSourceWaitsTest, SaysOfEachWhyItCannotBeAsked) {
  Start();
  source_.StreamLost("t0", absl::UnavailableError("nothing listens"), absl::Seconds(1));
  source_.Distrust("t1", absl::FailedPreconditionError("another fingerprint"), absl::Seconds(1));
  EXPECT_EQ(source_.WaitsFor(absl::Seconds(2)),
            "t0 at a:1 cannot be reached: nothing listens; "
            "t1 at b:1 is refused: another fingerprint");
}

TEST_F(LabelSourceWaitsTest, SaysThatATeacherDrains) {
  Start();
  source_.StreamOpened("t0", "class", absl::Seconds(1));
  source_.StreamDraining("t0", absl::Seconds(2));
  for (const LabelAction& action : source_.TakeActions()) {
    if (const auto* ask = std::get_if<AskLabels>(&action)) {
      source_.AskFailed(ask->request_id, absl::UnavailableError("drains"), absl::ZeroDuration(),
                        absl::Seconds(3));
    }
  }
  EXPECT_THAT(source_.WaitsFor(absl::Seconds(4)), HasSubstr("t0 at a:1 drains"));
}

TEST_F(LabelSourceWaitsTest, SaysThatThereIsNoTeacherAtAll) {
  EXPECT_EQ(source_.WaitsFor(absl::Seconds(2)), "the coordinator knows of no teacher server");
}

}  // namespace
}  // namespace distill
