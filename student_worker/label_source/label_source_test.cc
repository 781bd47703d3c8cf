#include "student_worker/label_source/label_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kNow = absl::Seconds(1);

LabelPayload Payload(int64_t step) { return std::make_shared<const int64_t>(step); }
int64_t StepOf(const LabelPayload& payload) { return *static_cast<const int64_t*>(payload.get()); }

LabelSourceOptions Steps(int64_t count) {
  LabelSourceOptions options;
  options.end_step = count;
  return options;
}

std::vector<TeacherEndpoint> Teachers(int count) {
  std::vector<TeacherEndpoint> teachers;
  for (int i = 0; i < count; ++i) teachers.push_back({absl::StrCat("t", i), 1, "host:1"});
  return teachers;
}

// A source and what it last wanted done.
struct Driver {
  explicit Driver(const LabelSourceOptions& options) : source(options, [] { return 0.5; }, kNow) {}

  template <typename T>
  std::vector<T> Of() {
    std::vector<T> found;
    for (const LabelAction& action : actions) {
      if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
    }
    return found;
  }
  void Collect() { actions = source.TakeActions(); }

  // Gives it `count` teachers with open streams; what it asks is in `actions`.
  void Open(int count) {
    source.SetEndpoints(Teachers(count), kNow);
    source.TakeActions();
    for (int i = 0; i < count; ++i) source.StreamOpened(absl::StrCat("t", i), "class", kNow);
    Collect();
  }

  LabelSource source;
  std::vector<LabelAction> actions;
};

TEST(LabelSource, AsksForTheWindowAndGivesLabelsInOrder) {
  Driver driver(Steps(6));
  driver.Open(1);
  const auto asks = driver.Of<AskLabels>();
  ASSERT_EQ(asks.size(), 4u);
  driver.source.Answered(asks[1].request_id, Payload(1), kNow);
  EXPECT_FALSE(driver.source.Ready());
  driver.source.Answered(asks[0].request_id, Payload(0), kNow);
  ASSERT_TRUE(driver.source.Ready());
  EXPECT_EQ(StepOf(driver.source.Take(kNow)), 0);
  EXPECT_EQ(StepOf(driver.source.Take(kNow)), 1);
  driver.Collect();
  const auto more = driver.Of<AskLabels>();
  ASSERT_EQ(more.size(), 2u);
  EXPECT_EQ(more[1].step, 5);
}

TEST(LabelSource, SpreadsAsksOverTheTeachersWithTheFewest) {
  Driver driver(Steps(4));
  driver.source.SetEndpoints(Teachers(2), kNow);
  driver.source.StreamOpened("t0", "class", kNow);
  driver.source.StreamOpened("t1", "class", kNow);
  driver.Collect();
  const auto first = driver.Of<AskLabels>();
  ASSERT_EQ(first.size(), 4u);  // t0 came first and took the window
  for (int i = 0; i < 4; ++i) driver.source.Answered(first[i].request_id, Payload(i), kNow);
  Driver later(Steps(100));
  later.Open(2);
  const auto asked = later.Of<AskLabels>();
  later.source.Answered(asked[0].request_id, Payload(0), kNow);
  later.source.Take(kNow);
  later.Collect();
  ASSERT_EQ(later.Of<AskLabels>().size(), 1u);
  EXPECT_EQ(later.Of<AskLabels>()[0].endpoint, "t1");
}

TEST(LabelSource, TeachersThatAnswerAtOnceGetEquallyMany) {
  Driver driver(Steps(40));
  driver.Open(2);
  for (int64_t step = 0; step < 40; ++step) {
    for (const AskLabels& ask : driver.Of<AskLabels>()) {
      driver.source.Answered(ask.request_id, Payload(ask.step), kNow);
    }
    driver.source.Take(kNow);
    driver.Collect();
  }
  EXPECT_EQ(driver.source.counters().served.at("t0"), 20);
  EXPECT_EQ(driver.source.counters().served.at("t1"), 20);
}

TEST(LabelSource, ADeadTeachersAsksAreAskedOfAnotherAtOnce) {
  Driver driver(Steps(4));
  driver.Open(2);
  driver.source.StreamLost("t0", absl::UnavailableError("reset"), kNow);
  driver.Collect();
  const auto again = driver.Of<AskLabels>();
  ASSERT_EQ(again.size(), 4u);
  for (const AskLabels& ask : again) EXPECT_EQ(ask.endpoint, "t1");
  EXPECT_EQ(driver.source.counters().asked_again, 4);
}

TEST(LabelSource, ALateAnswerIsDroppedAndTheFirstCounts) {
  Driver driver(Steps(1));
  driver.Open(2);
  const uint64_t slow = driver.Of<AskLabels>()[0].request_id;
  const absl::Duration late = driver.source.NextDeadline();
  EXPECT_EQ(late, kNow + absl::Seconds(30));
  driver.source.Advance(late);
  driver.Collect();
  EXPECT_EQ(driver.Of<CancelAsk>()[0].request_id, slow);
  const AskLabels again = driver.Of<AskLabels>().at(0);
  EXPECT_EQ(again.endpoint, "t1");
  driver.source.Answered(slow, Payload(77), late);
  EXPECT_FALSE(driver.source.Ready());
  driver.source.Answered(again.request_id, Payload(0), late);
  EXPECT_EQ(StepOf(driver.source.Take(late)), 0);
}

TEST(LabelSource, AFailedAskGoesElsewhereAfterABackOff) {
  Driver driver(Steps(1));
  driver.Open(2);
  const AskLabels ask = driver.Of<AskLabels>().at(0);
  driver.source.AskFailed(ask.request_id, absl::ResourceExhaustedError("full"), absl::Seconds(2),
                          kNow);
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());
  EXPECT_EQ(driver.source.NextDeadline(), kNow + absl::Seconds(2));
  driver.source.Advance(driver.source.NextDeadline());
  driver.Collect();
  EXPECT_EQ(driver.Of<AskLabels>().at(0).endpoint, "t1");
}

TEST(LabelSource, AnImpossibleAskAndTooManyAttemptsGiveUpWithTheReason) {
  Driver driver(Steps(1));
  driver.Open(1);
  driver.source.AskFailed(driver.Of<AskLabels>().at(0).request_id,
                          absl::InvalidArgumentError("no such example"), {}, kNow);
  driver.Collect();
  EXPECT_THAT(std::string(driver.Of<GiveUp>().at(0).status.message()),
              HasSubstr("no such example"));

  LabelSourceOptions options = Steps(1);
  options.max_attempts = 2;
  Driver stubborn(options);
  stubborn.Open(1);
  absl::Duration now = kNow;
  for (int i = 0; i < 2; ++i) {
    stubborn.source.AskFailed(stubborn.Of<AskLabels>().at(0).request_id,
                              absl::DataLossError("not finite"), {}, now);
    now = std::min(stubborn.source.NextDeadline(), now + absl::Seconds(10));
    stubborn.source.Advance(now);
    stubborn.Collect();
    EXPECT_EQ(stubborn.Of<AskLabels>().size(), i == 0 ? 1u : 0u);
  }
}

TEST(LabelSource, WithoutATeacherItGivesUpInTimeAndNamesWhomItTried) {
  Driver driver(Steps(1));
  driver.Open(1);
  driver.source.StreamLost("t0", absl::UnavailableError("connection refused"), kNow);
  absl::Duration now = kNow;
  for (int i = 0; i < 1000 && driver.Of<GiveUp>().empty(); ++i) {
    now = driver.source.NextDeadline();
    driver.source.Advance(now);
    driver.Collect();
    for (const OpenStream& open : driver.Of<OpenStream>()) {
      driver.source.StreamLost(open.endpoint.name, absl::UnavailableError("connection refused"),
                               now);
    }
  }
  ASSERT_EQ(driver.Of<GiveUp>().size(), 1u);
  EXPECT_EQ(now, kNow + absl::Seconds(60));
  EXPECT_THAT(std::string(driver.Of<GiveUp>()[0].status.message()),
              HasSubstr("t0 at host:1: connection refused"));
}

TEST(LabelSource, ATeacherThatDoesNotFitIsRefusedUntilItComesBackAnew) {
  Driver driver(Steps(1));
  driver.source.SetEndpoints(Teachers(1), kNow);
  driver.source.StreamLost("t0", absl::FailedPreconditionError("another fingerprint"), kNow);
  driver.Collect();
  driver.source.Advance(kNow + absl::Seconds(30));
  driver.Collect();
  EXPECT_TRUE(driver.Of<OpenStream>().empty());
  driver.source.SetEndpoints({{"t0", 2, "host:2"}}, kNow + absl::Seconds(30));
  driver.Collect();
  EXPECT_EQ(driver.Of<OpenStream>().size(), 1u);
}

TEST(LabelSource, AnExactRunTakesTeachersOfOneNumericsClass) {
  LabelSourceOptions options = Steps(4);
  options.exact = true;
  Driver driver(options);
  driver.source.SetEndpoints(Teachers(2), kNow);
  driver.source.StreamOpened("t0", "AVX2", kNow);
  driver.source.TakeActions();
  driver.source.StreamOpened("t1", "AVX512", kNow);
  driver.Collect();
  ASSERT_EQ(driver.Of<CloseStream>().size(), 1u);
  EXPECT_THAT(driver.Of<CloseStream>()[0].reason, HasSubstr("'AVX512'"));
}

TEST(LabelSource, ATeacherTakenOffTheListLosesItsAsks) {
  Driver driver(Steps(4));
  driver.Open(2);
  driver.source.SetEndpoints({{"t1", 1, "host:1"}}, kNow);
  driver.Collect();
  EXPECT_EQ(driver.Of<CloseStream>().size(), 1u);
  EXPECT_EQ(driver.Of<AskLabels>().size(), 4u);
}

TEST(LabelSource, ATeacherThatStartedAnewGetsANewStream) {
  Driver driver(Steps(4));
  driver.Open(1);
  driver.source.SetEndpoints({{"t0", 2, "host:2"}}, kNow);
  driver.Collect();
  EXPECT_EQ(driver.Of<CloseStream>().size(), 1u);
  ASSERT_EQ(driver.Of<OpenStream>().size(), 1u);
  EXPECT_EQ(driver.Of<OpenStream>()[0].endpoint.address, "host:2");
}

// Random faults against a fleet that answers whatever it is asked while it lives.
TEST(LabelSource, OverRandomFaultsEveryStepComesOnceAndInOrder) {
  std::mt19937_64 random(TestSeed());
  const auto below = [&](uint64_t bound) { return random() % bound; };
  constexpr int64_t kSteps = 40'000;
  LabelSourceOptions options = Steps(kSteps);
  options.max_attempts = 1000;
  LabelSource source(options, [&] { return below(1000) / 1000.0; }, kNow);
  absl::Duration now = kNow;
  source.SetEndpoints(Teachers(3), now);
  std::map<uint64_t, AskLabels> asked;
  std::set<std::string> opening, open;
  int64_t taken = 0, events = 0;
  for (; taken < kSteps; ++events) {
    ASSERT_LT(events, 100 * kSteps) << "no progress";
    for (const LabelAction& action : source.TakeActions()) {
      if (const auto* ask = std::get_if<AskLabels>(&action)) {
        ASSERT_TRUE(open.contains(ask->endpoint)) << "asked of a closed stream";
        ASSERT_LT(ask->step, taken + options.window_steps);
        asked[ask->request_id] = *ask;
      } else if (const auto* stream = std::get_if<OpenStream>(&action)) {
        ASSERT_TRUE(opening.insert(stream->endpoint.name).second);
      } else {
        ASSERT_TRUE(std::holds_alternative<CancelAsk>(action));
      }
    }
    if (source.Ready() && below(2) == 0) {
      ASSERT_EQ(StepOf(source.Take(now)), taken++);
      continue;
    }
    const uint64_t kind = below(20);
    if (kind < 12 && !asked.empty()) {
      auto it = asked.begin();
      std::advance(it, below(asked.size()));
      source.Answered(it->first, Payload(it->second.step), now);
      if (below(10) != 0) asked.erase(it);  // else it will be answered twice
    } else if (kind < 13 && !asked.empty()) {
      source.AskFailed(asked.begin()->first, absl::ResourceExhaustedError("full"), {}, now);
    } else if (kind < 14 && !open.empty()) {
      const std::string dead = *open.begin();
      open.erase(dead);
      std::erase_if(asked, [&](const auto& ask) {
        return ask.second.endpoint == dead && below(2) == 0;  // some answers still arrive
      });
      source.StreamLost(dead, absl::UnavailableError("reset"), now);
    } else if (kind < 18 && !opening.empty()) {
      const std::string name = *opening.begin();
      opening.erase(name);
      open.insert(name);
      source.StreamOpened(name, "class", now);
    } else if (source.NextDeadline() < absl::InfiniteDuration()) {
      now = std::max(now, std::min(source.NextDeadline(), now + absl::Seconds(1)));
      source.Advance(now);
    }
  }
  EXPECT_EQ(source.NextDeadline(), absl::InfiniteDuration());
  EXPECT_GT(events, 100'000);
}

}  // namespace
}  // namespace distill
