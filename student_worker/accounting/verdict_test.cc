#include "student_worker/accounting/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/time/time.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/run_accounting.h"
#include "student_worker/accounting/step_record.h"

namespace distill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Shares of 1000 s, in percent; what they lack of 100 is the student's forward pass.
RunAccounting Planted(const std::map<Phase, int>& percent, const AnswerTimes& answers = {}) {
  RunAccounting run;
  run.steps = 100;
  run.wall = absl::Seconds(1000);
  run.answers = answers;
  int rest = 100;
  for (const auto& [phase, share] : percent) {
    run.phases[static_cast<size_t>(phase)] = absl::Seconds(10 * share);
    rest -= share;
  }
  run.phases[static_cast<size_t>(Phase::kForward)] += absl::Seconds(10 * rest);
  EXPECT_EQ(Total(run.phases), run.wall);
  return run;
}

// 100 asks of 20 ms each; of the teacher's part, so much in the queue.
AnswerTimes Asks(double teacher_share, double queue_share) {
  const double teacher = 2.0 * teacher_share;
  const double others = teacher * (1 - queue_share);
  return {100, 2.0, teacher * queue_share, others / 4, others / 2, others / 4};
}

TEST(Verdict, ATeacherThatIsFullBoundsTheRunAndAnotherOneWouldHelp) {
  const Verdict verdict = Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(0.9, 0.6)));
  EXPECT_EQ(verdict.bound, Bound::kTeacher);
  EXPECT_EQ(
      verdict.sentence,
      "teacher-bound: 42% of the time is spent on waiting for labels, and 90% of an ask's "
      "20.0 ms is the teacher's work, 60% of that in its queue: add a teacher server, or a larger "
      "label cache where views come again");
}

TEST(Verdict, ATeacherWithRoomIsToBeAskedFurtherAhead) {
  const Verdict verdict = Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(0.9, 0.1)));
  EXPECT_EQ(verdict.bound, Bound::kTeacher);
  EXPECT_THAT(verdict.sentence, HasSubstr("10% of that in its queue: it has room, so raise "
                                          "labels.window_steps"));
}

TEST(Verdict, ATeacherIsFullFromAThirdOfItsTimeInTheQueueOn) {
  const auto sentence = [](double queue) {
    return Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(0.9, queue))).sentence;
  };
  EXPECT_THAT(sentence(0.34), HasSubstr("add a teacher server"));
  EXPECT_THAT(sentence(0.33), HasSubstr("raise labels.window_steps"));
}

TEST(Verdict, AnAskThatTheTeacherHardlyAccountsForIsTheNetworks) {
  const Verdict verdict = Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(0.12, 0.6)));
  EXPECT_EQ(verdict.bound, Bound::kNetwork);
  EXPECT_THAT(verdict.sentence,
              StartsWith("network-bound: 42% of the time is spent on waiting for labels, and only "
                         "12% of an ask's 20.0 ms is the teacher's work: raise "
                         "labels.window_steps"));
}

TEST(Verdict, TheNetworksNamesTheBytesOfALabelAndASmallerCodecThatSuits) {
  const auto sentence = [](const LabelTraffic& labels) {
    return Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(0.12, 0.6)), labels).sentence;
  };
  EXPECT_THAT(
      sentence({"dense_fp32", 4000, "top_k/16", 96}),
      EndsWith("to hide the way, or make top_k/16 the first of labels.codecs: a label takes "
               "96 bytes then, and 4000 in dense_fp32"));
  EXPECT_THAT(sentence({"dense_fp16", 24, "", 0}),
              EndsWith("to hide the way; a label of dense_fp16 takes 24 bytes"));
  EXPECT_THAT(sentence({}), EndsWith("or choose a smaller one of labels.codecs"));
}

TEST(Verdict, EachStageOfTheTeacherIsItsWork) {
  for (const AnswerTimes& answers :
       {AnswerTimes{1, 1, 0.9, 0, 0, 0}, AnswerTimes{1, 1, 0, 0.9, 0, 0},
        AnswerTimes{1, 1, 0, 0, 0.9, 0}, AnswerTimes{1, 1, 0, 0, 0, 0.9}}) {
    EXPECT_EQ(Judge(Planted({{Phase::kWaitTeacher, 42}}, answers)).bound, Bound::kTeacher);
  }
}

TEST(Verdict, HalfOfAnAskPartsTeacherFromNetwork) {
  const auto bound = [](double teacher) {
    return Judge(Planted({{Phase::kWaitTeacher, 42}}, Asks(teacher, 0.5))).bound;
  };
  EXPECT_EQ(bound(0.51), Bound::kTeacher);
  EXPECT_EQ(bound(0.49), Bound::kNetwork);
}

TEST(Verdict, WaitingForLabelsOfWhichNothingElseIsKnownSaysSo) {
  const Verdict verdict = Judge(Planted({{Phase::kWaitTeacher, 42}}));
  EXPECT_EQ(verdict.bound, Bound::kLabels);
  EXPECT_THAT(verdict.sentence, StartsWith("label-bound: 42%"));
}

TEST(Verdict, ATenthOfTheTimeIsWorthNamingWhereWorkIsAskedAhead) {
  EXPECT_EQ(Judge(Planted({{Phase::kWaitTeacher, 10}}, Asks(0.9, 0))).bound, Bound::kTeacher);
  EXPECT_EQ(Judge(Planted({{Phase::kWaitTeacher, 9}}, Asks(0.9, 0))).bound, Bound::kStudent);
  EXPECT_EQ(Judge(Planted({{Phase::kWaitGrant, 10}})).bound, Bound::kCoordinator);
  EXPECT_EQ(Judge(Planted({{Phase::kWaitGrant, 9}})).bound, Bound::kStudent);
}

TEST(Verdict, PreparingExamplesIsTheInputs) {
  for (const Phase phase : {Phase::kWaitData, Phase::kDecode}) {
    const Verdict verdict = Judge(Planted({{phase, 61}}));
    EXPECT_EQ(verdict.bound, Bound::kInput);
    EXPECT_THAT(verdict.sentence, StartsWith("input-bound: 61% of the time is spent on preparing "
                                             "examples: choose a lighter view"));
    EXPECT_EQ(Judge(Planted({{phase, 25}})).bound, Bound::kInput);
    EXPECT_EQ(Judge(Planted({{phase, 24}})).bound, Bound::kStudent);
  }
  EXPECT_EQ(Judge(Planted({{Phase::kWaitData, 15}, {Phase::kDecode, 15}})).bound, Bound::kInput);
}

TEST(Verdict, CheckpointsAndEvaluationCanBoundARunToo) {
  for (const Phase phase : {Phase::kCheckpoint, Phase::kEvaluate}) {
    const Verdict verdict = Judge(Planted({{phase, 30}}));
    EXPECT_EQ(verdict.bound, Bound::kKeeping);
    EXPECT_THAT(verdict.sentence, HasSubstr("raise training.checkpoint_every_steps"));
    EXPECT_EQ(Judge(Planted({{phase, 24}})).bound, Bound::kStudent);
  }
}

TEST(Verdict, TheStudentsOwnWorkIsWhatShouldBoundARun) {
  for (const Phase phase : {Phase::kForward, Phase::kBackward, Phase::kOptimizer}) {
    const Verdict verdict = Judge(Planted({{phase, 60}, {Phase::kWaitTeacher, 2}}, Asks(0.9, 0.6)));
    EXPECT_EQ(verdict.bound, Bound::kStudent);
    EXPECT_THAT(verdict.sentence,
                StartsWith("student-bound: 98% of the time is spent on the student's own work, and "
                           "labels come in time: more student workers"));
  }
}

TEST(Verdict, ARunWithoutATeacherIsToldNothingOfLabels) {
  const Verdict verdict = Judge(Planted({}));
  EXPECT_EQ(verdict.bound, Bound::kStudent);
  EXPECT_THAT(verdict.sentence, Not(HasSubstr("label")));
  EXPECT_THAT(verdict.sentence, Not(HasSubstr("teacher")));
}

TEST(Verdict, TooManyRanksShowAsAllReduce) {
  EXPECT_THAT(Judge(Planted({{Phase::kAllReduce, 51}})).sentence,
              StartsWith("student-bound: 100% of the time is spent on the student's own work, most "
                         "of it all-reduce: raise training.global_batch_size"));
  EXPECT_THAT(Judge(Planted({{Phase::kAllReduce, 49}})).sentence, Not(HasSubstr("all-reduce")));
}

TEST(Verdict, OfSeveralTheLargestIsNamed) {
  const AnswerTimes asks = Asks(0.9, 0.6);
  EXPECT_EQ(Judge(Planted({{Phase::kWaitTeacher, 30}, {Phase::kWaitData, 40}}, asks)).bound,
            Bound::kInput);
  EXPECT_EQ(Judge(Planted({{Phase::kWaitTeacher, 40}, {Phase::kWaitData, 30}}, asks)).bound,
            Bound::kTeacher);
}

TEST(Verdict, MoreThanThreePercentWithoutANameIsSaid) {
  const Verdict little = Judge(Planted({{Phase::kOther, 3}}));
  EXPECT_DOUBLE_EQ(little.unnamed, 0.03);
  EXPECT_THAT(little.sentence, Not(HasSubstr("named phases")));
  const Verdict more = Judge(Planted({{Phase::kOther, 4}}));
  EXPECT_EQ(more.bound, Bound::kStudent);
  EXPECT_DOUBLE_EQ(more.unnamed, 0.04);
  EXPECT_THAT(more.sentence, HasSubstr(" (the named phases miss 4% of the time)"));
}

TEST(Verdict, PhasesThatAddUpToMoreOrLessThanTheWallTimeMissIt) {
  for (const int wall : {900, 1100}) {
    RunAccounting run = Planted({});
    run.wall = absl::Seconds(wall);
    const Verdict verdict = Judge(run);
    EXPECT_DOUBLE_EQ(verdict.unnamed, 100.0 / wall);
    EXPECT_THAT(verdict.sentence, HasSubstr("the named phases miss"));
  }
}

TEST(Verdict, NobodyIsBlamedForTimeWithoutAName) {
  const Verdict verdict = Judge(Planted({{Phase::kOther, 60}, {Phase::kWaitTeacher, 20}}));
  EXPECT_EQ(verdict.bound, Bound::kUnknown);
  EXPECT_EQ(verdict.sentence, "not known what bounds it: the named phases miss 60% of the time");
}

TEST(Verdict, WithoutAStepThereIsNoVerdict) {
  const Verdict verdict = Judge({});
  EXPECT_EQ(verdict.bound, Bound::kUnknown);
  EXPECT_EQ(verdict.sentence, "not known what bounds it: no step was recorded");
}

}  // namespace
}  // namespace distill
