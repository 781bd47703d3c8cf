#include "cli/progress/plan_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "cli/terminal/fake_terminal.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::PlanStatus At(int64_t step) {
  v1::PlanStatus status;
  status.set_plan_id("p-1");
  status.set_state(v1::PlanStatus::RUNNING);
  v1::RunStatus* run = status.add_runs();
  run->set_run_id("r");
  run->set_state(v1::RunStatus::ACTIVE);
  run->set_steps(1000);
  run->mutable_progress()->set_step(step);
  run->mutable_progress()->set_steps_per_second(10);
  return status;
}

class LiveViewTest : public ::testing::Test {
 protected:
  void Make(LiveViewOptions options = {}) {
    view_ = MakeLiveView(&terminal_, &clock_, &timers_, std::move(options));
  }

  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  FakeTerminal terminal_;
  std::unique_ptr<PlanView> view_;
};

TEST_F(LiveViewTest, AStatusIsDrawnAtOnceWithTheCursorHidden) {
  Make();
  EXPECT_FALSE(terminal_.cursor_shown());
  EXPECT_EQ(terminal_.Take(), "");
  view_->OnStatus(At(100));
  timers_.Advance(absl::ZeroDuration());
  EXPECT_THAT(terminal_.Take(), HasSubstr("100/1000"));
}

TEST_F(LiveViewTest, AThousandStatusesASecondAreTenFrames) {
  Make();
  for (int i = 0; i < 1000; ++i) {
    view_->OnStatus(At(i));
    timers_.Advance(absl::Milliseconds(1));
  }
  EXPECT_LE(terminal_.writes(), 11);
  EXPECT_GE(terminal_.writes(), 9);
  timers_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(terminal_.Take(), HasSubstr("999/1000"));
}

TEST_F(LiveViewTest, WithoutAStatusTheTimeIsDrawnEverySecond) {
  Make();
  view_->OnStatus(At(100));
  timers_.Advance(absl::ZeroDuration());
  const int before = terminal_.writes();
  timers_.Advance(absl::Seconds(5));
  EXPECT_EQ(terminal_.writes() - before, 5);
  EXPECT_THAT(terminal_.Take(), HasSubstr("0:05"));
}

TEST_F(LiveViewTest, AnotherSizeIsDrawnSoon) {
  Make();
  view_->OnStatus(At(100));
  timers_.Advance(absl::Milliseconds(500));
  terminal_.Take();
  terminal_.Resize({12, 24});
  timers_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(terminal_.Take(), HasSubstr("plan p-1  .."));
}

TEST_F(LiveViewTest, AMessageStandsAboveTheTable) {
  Make();
  view_->OnStatus(At(100));
  timers_.Advance(absl::ZeroDuration());
  terminal_.Take();
  view_->Say("teacher-0 was killed");
  const std::string written = terminal_.Take();
  EXPECT_LT(written.find("teacher-0 was killed"), written.find("plan p-1"));
}

TEST_F(LiveViewTest, TheEndShowsTheLastStateAndTheCursorAndThenNothingMore) {
  Make();
  view_->OnStatus(At(100));
  timers_.Advance(absl::ZeroDuration());
  view_->OnStatus(At(1000));
  view_->Close();
  EXPECT_TRUE(terminal_.cursor_shown());
  EXPECT_THAT(terminal_.Take(), HasSubstr("1000/1000"));
  view_->OnStatus(At(1));
  timers_.Advance(absl::Seconds(10));
  EXPECT_EQ(terminal_.Take(), "");
  EXPECT_EQ(timers_.pending(), 0u);
  view_->Say("after");
  EXPECT_THAT(terminal_.Take(), AllOf(EndsWith("after\n"), Not(HasSubstr("plan"))));
}

TEST_F(LiveViewTest, TheCursorIsShownWhenTheViewGoesAndWhenTheProcessIsToldToStop) {
  Make();
  view_.reset();
  EXPECT_TRUE(terminal_.cursor_shown());
  Make();
  EXPECT_FALSE(terminal_.cursor_shown());
  view_->OnInterrupt();
  EXPECT_TRUE(terminal_.cursor_shown());
  // It may still draw, but the cursor stays.
  view_->OnStatus(At(100));
  timers_.Advance(absl::Seconds(2));
  EXPECT_TRUE(terminal_.cursor_shown());
}

TEST_F(LiveViewTest, ATimerThatComesAfterTheViewHasGoneDoesNothing) {
  Make();
  view_->OnStatus(At(100));
  view_.reset();
  terminal_.Take();
  timers_.Advance(absl::Seconds(5));
  EXPECT_EQ(terminal_.Take(), "");
}

TEST_F(LiveViewTest, WithoutColourTheOnlySequencesAreThoseThatMoveAndErase) {
  Make({.color = false, .fleet_first = false, .sentence = nullptr});
  view_->OnStatus(At(100));
  timers_.Advance(absl::Seconds(3));
  EXPECT_THAT(terminal_.Take(), Not(::testing::ContainsRegex("\x1b\\[[0-9]*m")));
}

TEST_F(LiveViewTest, ASentenceIsTheLastLine) {
  Make({.color = false, .fleet_first = true, .sentence = [](const v1::PlanStatus&) {
          return "r: teacher-bound";
        }});
  view_->OnStatus(At(100));
  timers_.Advance(absl::ZeroDuration());
  EXPECT_THAT(terminal_.Take(), EndsWith("r: teacher-bound\n\x1b[J"));
}

TEST(LineViewTest, LinesAreSaidInOrderAndTheEndOnce) {
  FakeClock clock;
  std::vector<std::string> said;
  auto view = MakeLineView([&](const std::string& line) { said.push_back(line); }, &clock);
  view->OnStatus(At(0));
  view->Say("teacher-0 was killed");
  view->Close();
  view->OnStatus(At(10));
  view.reset();
  EXPECT_THAT(said, ElementsAre("plan p-1: running, 1 run: r (1000 steps)", "r  starting",
                                "teacher-0 was killed", StartsWith("plan p-1: running, 0 of 1")));
}

class JsonViewTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  std::vector<std::string> printed_, said_;
  std::unique_ptr<PlanView> view_ =
      MakeJsonView([this](const std::string& line) { printed_.push_back(line); },
                   [this](const std::string& line) { said_.push_back(line); }, &clock_, &timers_);
};

TEST_F(JsonViewTest, OneUpdateASecondAndTheLastOne) {
  for (int i = 0; i < 25; ++i) {
    view_->OnStatus(At(100 + i));
    timers_.Advance(absl::Milliseconds(100));
  }
  view_->Say("teacher-0 was killed");
  view_->Close();
  EXPECT_THAT(printed_, ElementsAre(HasSubstr("\"step\":100,"), HasSubstr("\"step\":109,"),
                                    HasSubstr("\"step\":119,"), HasSubstr("\"step\":124,")));
  EXPECT_THAT(said_, ElementsAre("teacher-0 was killed"));
}

TEST_F(JsonViewTest, AChangeBeforeASilenceIsPrintedAfterASecond) {
  view_->OnStatus(At(100));
  timers_.Advance(absl::Milliseconds(300));
  v1::PlanStatus waits = At(101);
  waits.mutable_runs(0)->set_state(v1::RunStatus::WAITING);
  view_->OnStatus(waits);
  timers_.Advance(absl::Milliseconds(699));
  EXPECT_THAT(printed_, ElementsAre(HasSubstr("ACTIVE")));
  timers_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(printed_, ElementsAre(HasSubstr("ACTIVE"), HasSubstr("WAITING")));
  timers_.Advance(absl::Seconds(10));
  EXPECT_EQ(printed_.size(), 2u);
  // The next second begins with what was printed last.
  view_->OnStatus(At(102));
  EXPECT_EQ(printed_.size(), 3u);
}

TEST_F(JsonViewTest, AfterTheEndNothingIsPrintedAlsoByATimerThatComesLate) {
  view_->OnStatus(At(100));
  view_->OnStatus(At(101));
  view_->Close();
  EXPECT_EQ(printed_.size(), 2u);
  EXPECT_EQ(timers_.pending(), 0u);
  view_->OnStatus(At(102));
  view_.reset();
  timers_.Advance(absl::Seconds(5));
  EXPECT_EQ(printed_.size(), 2u);
}

}  // namespace
}  // namespace distill
