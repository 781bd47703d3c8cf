#include "student_worker/worker/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/bytes/little_endian.h"
#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"
#include "student_worker/accounting/phase_clock.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kFolder[] = "/plan/distilled";

using Scalars = std::map<std::string, float>;
using Points = std::vector<std::pair<int64_t, Scalars>>;

class EventLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<EventLog> Open(int64_t first_step, uint64_t generation = 1) {
    EventLogOptions options;
    options.folder = kFolder;
    options.generation = generation;
    options.first_step = first_step;
    options.examples_per_step = 64;
    auto log = EventLog::Open(files_, clock_, options);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  // Each takes half a second, a fifth of it waiting for the teacher.
  static StepRecord Record(int64_t step) {
    StepRecord record;
    record.step = step;
    record.temperature = 4 - 0.25 * static_cast<double>(step);
    record.hard_weight = 0.25;
    record.soft_weight = 0.75;
    record.learning_rate = 0.5;
    record.loss = static_cast<double>(step);
    record.loss_terms["soft"] = 2.0 * static_cast<double>(step);
    // As of a batch that has some labelled examples, or none.
    if (step % 4 == 0) record.loss_terms["hard"] = static_cast<double>(step);
    record.phases[static_cast<int>(Phase::kForward)] = absl::Milliseconds(400);
    record.phases[static_cast<int>(Phase::kWaitTeacher)] = absl::Milliseconds(100);
    return record;
  }
  static void Take(EventLog& log, int64_t first, int64_t end) {
    for (int64_t step = first; step < end; ++step) ASSERT_TRUE(log.OnStep(Record(step)).ok());
  }

  // The whole records of all files, as TensorBoard reads them: by name.
  std::vector<tensorboard::Event> Events() {
    std::vector<tensorboard::Event> events;
    const std::vector<std::string> names = *files_.List(kFolder);
    for (const std::string& name : names) {
      const std::string bytes = *files_.Read(JoinPath(kFolder, name), 1 << 20);
      ByteReader reader(bytes);
      while (reader.left() > 0) {
        const uint64_t length = reader.U64();
        reader.U32();
        const std::string message(reader.Bytes(length));
        reader.U32();
        EXPECT_TRUE(reader.ok());
        EXPECT_TRUE(events.emplace_back().ParseFromString(message));
      }
    }
    return events;
  }
  // What is shown: a START takes back all points from its step on.
  Points Shown() {
    Points points;
    for (const tensorboard::Event& event : Events()) {
      if (event.session_log().status() == tensorboard::SessionLog::START) {
        std::erase_if(points, [&](const auto& point) { return point.first >= event.step(); });
      }
      Scalars scalars;
      for (const auto& value : event.summary().value()) scalars[value.tag()] = value.simple_value();
      if (!scalars.empty()) points.emplace_back(event.step(), scalars);
    }
    return points;
  }
  std::vector<int64_t> ShownSteps() {
    std::vector<int64_t> steps;
    for (const auto& [step, scalars] : Shown()) steps.push_back(step);
    return steps;
  }

  FakeFileSystem files_;
  FakeClock clock_;
};

TEST_F(EventLogTest, APointIsTheMeanOfItsStepsAndTheLastValueOfASchedule) {
  Take(*Open(0), 0, 10);
  const Points points = Shown();
  ASSERT_THAT(points, SizeIs(1));
  EXPECT_EQ(points[0].first, 10);
  EXPECT_THAT(points[0].second,
              UnorderedElementsAre(
                  Pair("loss/total", 4.5), Pair("loss/soft", 9), Pair("loss/hard", 4),
                  Pair("schedule/temperature", 1.75), Pair("schedule/hard_weight", 0.25),
                  Pair("schedule/soft_weight", 0.75), Pair("schedule/learning_rate", 0.5),
                  Pair("speed/examples_per_second", 128), Pair("speed/seconds_per_step", 0.5),
                  Pair("speed/waiting_for_teacher_share", 0.2f)));
}

TEST_F(EventLogTest, ThePointAfterDoesNotKnowTheOneBefore) {
  Take(*Open(0), 0, 20);
  EXPECT_EQ(Shown()[1].second["loss/total"], 14.5);
  EXPECT_EQ(Shown()[1].second["loss/hard"], 14);
  EXPECT_EQ(Shown()[1].second["speed/seconds_per_step"], 0.5);
}

TEST_F(EventLogTest, ATermWithoutAnExampleInThesePointsIsAbsent) {
  auto log = Open(0);
  Take(*log, 0, 10);
  for (int64_t step = 10; step < 20; ++step) {
    StepRecord record = Record(step);
    record.loss_terms.erase("hard");
    ASSERT_TRUE(log->OnStep(record).ok());
  }
  log.reset();
  EXPECT_EQ(Shown()[1].second.count("loss/hard"), 0u);
}

TEST_F(EventLogTest, AnEvaluationIsAPointOfItsOwn) {
  auto log = Open(0);
  log->OnValidation(7, 0.875);
  log.reset();
  EXPECT_THAT(Shown(), ElementsAre(Pair(7, ElementsAre(Pair("eval/validation_accuracy", 0.875)))));
}

TEST_F(EventLogTest, EventsHaveTheWallTime) {
  clock_.Advance(absl::Milliseconds(500));
  Open(0);
  EXPECT_EQ(Events()[0].wall_time(), 1704067200.5);
}

TEST_F(EventLogTest, AFileBeginsWithItsVersionAndItsStart) {
  Open(0);
  const auto events = Events();
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].session_log().status(), tensorboard::SessionLog::START);
}

TEST_F(EventLogTest, StepsOfLessThanASecondAreNotWrittenOneByOne) {
  auto log = Open(0);
  const int64_t before = files_.operations();
  Take(*log, 0, 100);
  EXPECT_EQ(files_.operations(), before);
  EXPECT_THAT(ShownSteps(), IsEmpty());
  clock_.Advance(absl::Seconds(1));
  Take(*log, 100, 110);
  EXPECT_EQ(ShownSteps().back(), 110);
  EXPECT_THAT(ShownSteps(), SizeIs(11));
}

TEST_F(EventLogTest, WhatIsNotWrittenIsBounded) {
  auto log = Open(0);
  Take(*log, 0, 10'000);
  EXPECT_THAT(ShownSteps(), SizeIs(testing::Gt(700)));
}

TEST_F(EventLogTest, ACheckpointEndsAPointAndWritesAll) {
  auto log = Open(0);
  Take(*log, 0, 13);
  ASSERT_TRUE(log->BeforeCheckpoint().ok());
  ASSERT_THAT(ShownSteps(), ElementsAre(10, 13));
  EXPECT_EQ(Shown()[1].second["loss/total"], 11);
}

TEST_F(EventLogTest, ASessionThatFailsLeavesItsLastSteps) {
  auto log = Open(0);
  Take(*log, 0, 17);
  log.reset();
  EXPECT_THAT(ShownSteps(), ElementsAre(10, 17));
}

TEST_F(EventLogTest, AResumedRunShowsWhatOneWithoutInterruptionShows) {
  const auto world = [&](int64_t first, int64_t end, uint64_t generation) {
    auto log = Open(first, generation);
    for (int64_t step = first; step < end; ++step) {
      ASSERT_TRUE(log->OnStep(Record(step)).ok());
      if ((step + 1) % 25 != 0) continue;
      ASSERT_TRUE(log->BeforeCheckpoint().ok());
    }
  };
  world(0, 60, 1);
  const Points all = Shown();
  ASSERT_TRUE(files_.RemoveTree(kFolder).ok());
  world(0, 48, 1);   // Aborted, resumed from the checkpoint at 25,
  world(25, 37, 2);  // once more from the same,
  world(25, 52, 3);  // and from the one at 50.
  world(50, 60, 4);
  EXPECT_EQ(Shown(), all);
  EXPECT_THAT(ShownSteps(), ElementsAre(10, 20, 25, 30, 40, 50, 60));
}

TEST_F(EventLogTest, AFullDiskFailsTheStepThatWrites) {
  auto log = Open(0);
  Take(*log, 0, 9);
  clock_.Advance(absl::Seconds(1));
  files_.FailOperation(1, absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(log->OnStep(Record(9)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(EventLogTest, AFullDiskFailsTheCheckpoint) {
  auto log = Open(0);
  Take(*log, 0, 9);
  files_.FailOperation(1, absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(log->BeforeCheckpoint().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace distill
