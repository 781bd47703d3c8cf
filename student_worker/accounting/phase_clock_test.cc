#include "student_worker/accounting/phase_clock.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "common/clock/fake_clock.h"

namespace distill {
namespace {

absl::Duration In(const PhaseDurations& phases, Phase phase) {
  return phases[static_cast<size_t>(phase)];
}

TEST(PhaseClock, EveryMomentBelongsToOnePhase) {
  FakeClock clock;
  PhaseClock phases(&clock);
  clock.Advance(absl::Milliseconds(1));
  EXPECT_EQ(phases.Enter(Phase::kWaitTeacher), Phase::kOther);
  clock.Advance(absl::Milliseconds(20));
  EXPECT_EQ(phases.Enter(Phase::kForward), Phase::kWaitTeacher);
  clock.Advance(absl::Milliseconds(300));
  const PhaseDurations step = phases.Take();
  EXPECT_EQ(In(step, Phase::kOther), absl::Milliseconds(1));
  EXPECT_EQ(In(step, Phase::kWaitTeacher), absl::Milliseconds(20));
  EXPECT_EQ(In(step, Phase::kForward), absl::Milliseconds(300));
  EXPECT_EQ(Total(step), absl::Milliseconds(321));
}

TEST(PhaseClock, ThePhaseInHandGoesOnAfterATake) {
  FakeClock clock;
  PhaseClock phases(&clock);
  phases.Enter(Phase::kBackward);
  clock.Advance(absl::Milliseconds(2));
  phases.Take();
  clock.Advance(absl::Milliseconds(5));
  EXPECT_EQ(In(phases.Take(), Phase::kBackward), absl::Milliseconds(5));
}

TEST(PhaseClock, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (int phase = 0; phase < kPhases; ++phase) names.insert(PhaseName(static_cast<Phase>(phase)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kPhases));
  EXPECT_EQ(PhaseName(Phase::kWaitGrant), "wait_grant");
}

}  // namespace
}  // namespace distill
