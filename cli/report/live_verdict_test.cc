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

TEST_F(LiveVerdictTest, WhileNoRunTrainsThereIsNone) {
  Append(0, Step("forward") + Step("forward"));
  status_.mutable_runs(0)->set_state(v1::RunStatus::DONE);
  EXPECT_EQ(Now(), "");
}

}  // namespace
}  // namespace distill
