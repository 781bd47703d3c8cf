#include "cli/report/live_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"
#include "common/files/file_system.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

using ::testing::StartsWith;

// A step of one second, spent as named.
std::string Step(const std::string& phase) {
  return "{\"step\":1,\"" + phase + "_seconds\":1.0,\"wall_seconds\":1.0}\n";
}

class LiveVerdictTest : public ::testing::Test {
 protected:
  LiveVerdictTest() {
    status_.add_runs()->set_run_id("r");
    status_.mutable_runs(0)->set_state(v1::RunStatus::ACTIVE);
    EXPECT_TRUE(files_.MakeDirectories("/d/r").ok());
  }
  void Append(int rank, const std::string& text) {
    auto file = files_.OpenForAppend("/d/r/metrics.rank" + std::to_string(rank) + ".jsonl");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(text).ok());
  }
  std::string Now() { return verdict_.Of(status_); }

  FakeFileSystem files_;
  FakeClock clock_;
  v1::PlanStatus status_;
  LiveVerdict verdict_{&files_, &clock_, "/d", [] {
                         v1::PlanConfig plan;
                         plan.add_runs()->set_name("r");
                         plan.mutable_runs(0)->mutable_training()->set_world_size(2);
                         return plan;
                       }()};
};

TEST_F(LiveVerdictTest, ItIsOfTheStepsSoFarOfAllRanksButTheirFirst) {
  EXPECT_EQ(Now(), "");
  Append(0, Step("wait_data"));
  Append(1, Step("wait_data"));
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(Now(), "");
  Append(0, Step("forward") + Step("forward"));
  Append(1, Step("forward") + Step("forward"));
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(Now(), StartsWith("r: student-bound"));
  for (int i = 0; i < 50; ++i) Append(1, Step("wait_data"));
  // Not looked at yet.
  EXPECT_THAT(Now(), StartsWith("r: student-bound"));
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(Now(), StartsWith("r: input-bound"));
}

TEST_F(LiveVerdictTest, AfterARankRejoinedTheStepsItDidAgainCountOnce) {
  const auto steps = [](const std::string& phase, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += Step(phase);
    return text;
  };
  const std::string kept = steps("forward", 10);
  Append(0, kept + steps("wait_data", 30));
  EXPECT_THAT(Now(), StartsWith("r: input-bound"));
  // It cut its file back to its checkpoint, and that has more in it again than at the last look.
  ASSERT_TRUE(files_.Write("/d/r/metrics.rank0.jsonl", kept + steps("forward", 33)).ok());
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(Now(), StartsWith("r: student-bound: 100%"));
}

TEST_F(LiveVerdictTest, ALongPastIsReadInBoundedLooksThatComeSooner) {
  // 20 MiB of a second rank: 4 MiB a look.
  const std::string step = std::string(1000, ' ') + Step("forward");
  std::string text;
  while (text.size() < (size_t{19} << 20)) text += step;
  Append(1, text);
  EXPECT_EQ(Now(), "r: what bounds it: 16 MiB of its steps still to be read");
  // Not looked at yet.
  EXPECT_EQ(Now(), "r: what bounds it: 16 MiB of its steps still to be read");
  for (const int left : {12, 8, 4}) {
    clock_.Advance(absl::Milliseconds(500));
    EXPECT_THAT(Now(), StartsWith("r: what bounds it: " + std::to_string(left) + " MiB"));
  }
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_THAT(Now(), StartsWith("r: student-bound"));
}

TEST_F(LiveVerdictTest, WhileNoRunTrainsThereIsNone) {
  Append(0, Step("forward") + Step("forward"));
  status_.mutable_runs(0)->set_state(v1::RunStatus::DONE);
  EXPECT_EQ(Now(), "");
}

}  // namespace
}  // namespace distill
