#include "student_worker/label_source/label_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kNow = absl::Seconds(1);

LabelPayload Payload(int64_t step) { return std::make_shared<const int64_t>(step); }
int64_t StepOf(const LabelPayload& payload) { return *static_cast<const int64_t*>(payload.get()); }
// Of a step that was asked for as a whole.
int64_t StepOf(const std::vector<LabelPart>& parts) { return StepOf(parts.at(0).payload); }

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

TEST(LabelSource, AFailedAskGoesElsewhereAfterABackOffAndItsTeacherRests) {
  Driver driver(Steps(1));
  driver.Open(2);
  const AskLabels ask = driver.Of<AskLabels>().at(0);
  driver.source.AskFailed(ask.request_id, absl::ResourceExhaustedError("full"), absl::Seconds(2),
                          kNow);
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());
  absl::Duration now = kNow + absl::Milliseconds(15);
  EXPECT_EQ(driver.source.NextDeadline(), now);
  driver.source.Advance(now);
  driver.Collect();
  EXPECT_EQ(driver.Of<AskLabels>().at(0).endpoint, "t1");
  // That one fails too, and t0 still rests.
  driver.source.AskFailed(driver.Of<AskLabels>().at(0).request_id, absl::DataLossError("bad"),
                          absl::ZeroDuration(), now);
  driver.source.StreamLost("t1", absl::UnavailableError("reset"), now);
  while (now < kNow + absl::Seconds(2)) {
    driver.source.Advance(now);
    driver.Collect();
    EXPECT_TRUE(driver.Of<AskLabels>().empty()) << now;
    now = driver.source.NextDeadline();
  }
  driver.source.Advance(now);
  driver.Collect();
  EXPECT_EQ(now, kNow + absl::Seconds(2));
  EXPECT_EQ(driver.Of<AskLabels>().at(0).endpoint, "t0");
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

TEST(LabelSource, ATeacherThatLiesIsRefusedAndWhatItWasAskedIsAskedOfTheOther) {
  Driver driver(Steps(4));
  driver.Open(1);
  ASSERT_EQ(driver.Of<AskLabels>().size(), 4u);
  driver.source.SetEndpoints(Teachers(2), kNow);
  driver.source.StreamOpened("t1", "class", kNow);
  driver.source.TakeActions();
  driver.source.Distrust("t0", absl::DataLossError("row 3 is nan"), kNow);
  driver.Collect();
  ASSERT_EQ(driver.Of<CloseStream>().size(), 1u);
  EXPECT_EQ(driver.Of<CloseStream>()[0].endpoint, "t0");
  const auto asks = driver.Of<AskLabels>();
  ASSERT_EQ(asks.size(), 4u);
  for (const AskLabels& ask : asks) EXPECT_EQ(ask.endpoint, "t1");
  EXPECT_EQ(driver.source.counters().refused.at("t0"), "row 3 is nan");
  // Not again, until it has started anew.
  driver.source.Advance(kNow + absl::Minutes(10));
  driver.source.SetEndpoints(Teachers(2), kNow + absl::Minutes(10));
  driver.Collect();
  EXPECT_EQ(driver.Of<OpenStream>().size(), 0u);
  std::vector<TeacherEndpoint> anew = Teachers(2);
  anew[0].incarnation = 2;
  driver.source.SetEndpoints(anew, kNow + absl::Minutes(10));
  driver.Collect();
  ASSERT_EQ(driver.Of<OpenStream>().size(), 1u);
  EXPECT_EQ(driver.Of<OpenStream>()[0].endpoint.name, "t0");
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

// Steps of eight examples and a window of one, asked of teachers that have answered thirty
// steps each. Of the next step nothing is answered.
struct WarmDriver : Driver {
  explicit WarmDriver(LabelSourceOptions options, int teachers = 2) : Driver(Eight(options)) {
    Open(teachers);
    while (source.next_step() < 30 * teachers) {
      // 1 ms for eight examples, whoever it is.
      std::map<int64_t, std::vector<uint64_t>> by_size;
      for (const AskLabels& ask : Of<AskLabels>()) {
        by_size[static_cast<int64_t>(ask.positions.size())].push_back(ask.request_id);
      }
      const absl::Duration begin = now;
      for (const auto& [examples, ids] : by_size) {
        now = begin + examples * absl::Microseconds(125);
        for (const uint64_t id : ids) source.Answered(id, Payload(source.next_step()), now);
      }
      source.Take(now);
      Collect();
    }
  }
  static LabelSourceOptions Eight(LabelSourceOptions options) {
    options.examples_per_step = 8;
    options.window_steps = 1;
    options.hedging.reserve = 0;
    return options;
  }
  void AdvanceTo(absl::Duration when) {
    now = when;
    source.Advance(now);
    Collect();
  }

  absl::Duration now = kNow;
};

TEST(LabelSource, AStepIsCutAmongTeachersAndPutTogetherInOrder) {
  WarmDriver driver(Steps(1000));
  const auto asks = driver.Of<AskLabels>();
  ASSERT_EQ(asks.size(), 2u);
  EXPECT_NE(asks[0].endpoint, asks[1].endpoint);
  EXPECT_THAT(asks[0].positions, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(asks[1].positions, ElementsAre(4, 5, 6, 7));
  driver.source.Answered(asks[1].request_id, Payload(1), driver.now);
  EXPECT_FALSE(driver.source.Ready());
  driver.source.Answered(asks[0].request_id, Payload(0), driver.now);
  const std::vector<LabelPart> taken = driver.source.Take(driver.now);
  ASSERT_EQ(taken.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(StepOf(taken[i].payload), i);
    EXPECT_EQ(taken[i].positions, asks[i].positions);
  }
}

TEST(LabelSource, AnExactStepIsNeverCut) {
  LabelSourceOptions options = Steps(1000);
  options.exact = true;
  WarmDriver driver(options);
  ASSERT_EQ(driver.Of<AskLabels>().size(), 1u);
  EXPECT_EQ(driver.Of<AskLabels>()[0].positions.size(), 8u);
}

TEST(LabelSource, ALateAskIsAskedOfASecondTeacherAndTheFirstAnswerWins) {
  for (const bool hedge_wins : {true, false}) {
    LabelSourceOptions options = Steps(1000);
    options.exact = true;
    WarmDriver driver(options);
    const AskLabels first = driver.Of<AskLabels>().at(0);
    const absl::Duration asked_at = driver.now;
    driver.AdvanceTo(driver.source.NextDeadline());
    const AskLabels second = driver.Of<AskLabels>().at(0);
    EXPECT_EQ(driver.now, asked_at + absl::Milliseconds(2));  // twice what is usual
    EXPECT_NE(second.endpoint, first.endpoint);
    EXPECT_EQ(second.remaining, absl::Seconds(30) - absl::Milliseconds(2));
    EXPECT_EQ(driver.source.counters().hedges, 1);
    const auto& [winner, loser] = hedge_wins ? std::pair(second, first) : std::pair(first, second);
    driver.source.Answered(winner.request_id, Payload(1), driver.now);
    driver.Collect();
    ASSERT_EQ(driver.Of<CancelAsk>().size(), 1u);
    EXPECT_EQ(driver.Of<CancelAsk>()[0].request_id, loser.request_id);
    driver.source.Answered(loser.request_id, Payload(2), driver.now);
    EXPECT_EQ(StepOf(driver.source.Take(driver.now)), 1);
  }
}

TEST(LabelSource, AHedgeTakesOverWhenTheFirstTeacherIsLost) {
  LabelSourceOptions options = Steps(1000);
  options.exact = true;
  WarmDriver driver(options);
  const AskLabels first = driver.Of<AskLabels>().at(0);
  driver.AdvanceTo(driver.source.NextDeadline());
  const AskLabels second = driver.Of<AskLabels>().at(0);
  driver.source.StreamLost(first.endpoint, absl::UnavailableError("reset"), driver.now);
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());  // nobody else is asked
  driver.source.Answered(second.request_id, Payload(3), driver.now);
  EXPECT_EQ(StepOf(driver.source.Take(driver.now)), 3);
}

TEST(LabelSource, AFailedAskGoesToASlowerTeacherRatherThanBackToItsOwn) {
  LabelSourceOptions options = Steps(1000);
  options.window_steps = 2;
  Driver driver(options);
  driver.Open(2);
  const auto first = driver.Of<AskLabels>();
  ASSERT_EQ(first.size(), 2u);  // both of t0, which came first
  absl::Duration now = kNow + absl::Milliseconds(1);
  driver.source.Answered(first[0].request_id, Payload(0), now);
  driver.source.Take(now);
  driver.Collect();
  const AskLabels to_t1 = driver.Of<AskLabels>().at(0);
  ASSERT_EQ(to_t1.endpoint, "t1");
  now += absl::Milliseconds(50);
  driver.source.Answered(to_t1.request_id, Payload(2), now);
  driver.source.AskFailed(first[1].request_id, absl::DataLossError("bad"), {}, now);
  driver.source.Advance(driver.source.NextDeadline());
  driver.Collect();
  EXPECT_EQ(driver.Of<AskLabels>().at(0).endpoint, "t1");
}

TEST(LabelSource, WithoutABudgetNothingIsHedged) {
  LabelSourceOptions options = Steps(1000);
  options.hedging.budget = 0;
  WarmDriver driver(options);
  EXPECT_EQ(driver.source.NextDeadline(), driver.now + absl::Seconds(30));
}

TEST(LabelSource, ATeacherThatKeepsFailingRestsAndIsThenProbedWithOneAsk) {
  LabelSourceOptions options = Steps(1000);
  Driver driver(options);
  driver.Open(1);
  const auto asks = driver.Of<AskLabels>();
  ASSERT_EQ(asks.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    driver.source.AskFailed(asks[i].request_id, absl::DataLossError("bad"), {}, kNow);
  }
  EXPECT_EQ(driver.source.counters().breaker_openings, 1);
  driver.source.Answered(asks[3].request_id, Payload(3), kNow);  // an old ask closes nothing
  driver.source.Advance(kNow + absl::Milliseconds(14));
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());
  absl::Duration now = kNow + absl::Milliseconds(15);
  driver.source.Advance(now);
  driver.Collect();
  ASSERT_EQ(driver.Of<AskLabels>().size(), 1u);
  driver.source.AskFailed(driver.Of<AskLabels>()[0].request_id, absl::DataLossError("bad"), {},
                          now);
  driver.source.Advance(now + absl::Milliseconds(29));
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());  // rests twice as long
  now += absl::Milliseconds(30);
  driver.source.Advance(now);
  driver.Collect();
  ASSERT_EQ(driver.Of<AskLabels>().size(), 1u);
  driver.source.Answered(driver.Of<AskLabels>()[0].request_id, Payload(0), now);
  driver.Collect();
  EXPECT_EQ(driver.Of<AskLabels>().size(), 2u);  // all that wait
}

TEST(LabelSource, ATeacherWhoseStreamCameBackIsProbedWithOneAsk) {
  Driver driver(Steps(4));
  driver.Open(1);
  driver.source.StreamLost("t0", absl::UnavailableError("reset"), kNow);
  const absl::Duration now = driver.source.NextDeadline();
  driver.source.Advance(now);
  driver.source.StreamOpened("t0", "class", now);
  driver.Collect();
  ASSERT_EQ(driver.Of<AskLabels>().size(), 1u);
  driver.source.Answered(driver.Of<AskLabels>()[0].request_id, Payload(0), now);
  driver.Collect();
  EXPECT_EQ(driver.Of<AskLabels>().size(), 3u);
}

TEST(LabelSource, WhatIsAskedAgainHasTheTimeThatIsLeft) {
  LabelSourceOptions options = Steps(1);
  options.breaker.failures_to_open = 100;
  Driver driver(options);
  driver.Open(1);
  absl::Duration now = kNow;
  for (const absl::Duration at : {absl::Seconds(10), absl::Seconds(29)}) {
    now = kNow + at;
    driver.source.AskFailed(driver.Of<AskLabels>().at(0).request_id, absl::DataLossError("bad"), {},
                            now - absl::Milliseconds(40));
    driver.source.Advance(now);
    driver.Collect();
    // At the end a quarter of the whole: a second is too little for any teacher.
    EXPECT_EQ(driver.Of<AskLabels>().at(0).remaining,
              at == absl::Seconds(10) ? absl::Seconds(20) : absl::Seconds(7.5));
  }
}

TEST(LabelSource, ADrainingTeacherAnswersWhatItHasAndIsAskedNothingMore) {
  Driver driver(Steps(10));
  driver.Open(1);
  driver.source.StreamDraining("t0", kNow);
  driver.Collect();
  EXPECT_TRUE(driver.actions.empty());
  driver.source.Answered(1, Payload(0), kNow);
  EXPECT_EQ(StepOf(driver.source.Take(kNow)), 0);
  driver.Collect();
  EXPECT_TRUE(driver.Of<AskLabels>().empty());
}

TEST(LabelSource, ATeacherThatDrainsBeforeItsStreamIsToldOfIsAskedNothing) {
  Driver driver(Steps(10));
  driver.source.SetEndpoints(Teachers(1), kNow);
  driver.source.StreamDraining("t0", kNow);
  driver.source.StreamOpened("t0", "class", kNow);
  driver.Collect();
  EXPECT_TRUE(driver.Of<AskLabels>().empty());
}

}  // namespace
}  // namespace distill
