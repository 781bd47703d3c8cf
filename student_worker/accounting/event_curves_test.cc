#include "student_worker/accounting/event_curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"
#include "student_worker/accounting/event_record.h"
#include "student_worker/accounting/tensorboard_event.pb.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string Start(int64_t step) {
  tensorboard::Event event;
  event.set_step(step);
  event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  return EventRecord(event);
}

std::string Point(int64_t step, const std::string& tag, float value) {
  tensorboard::Event event;
  event.set_step(step);
  auto* scalar = event.mutable_summary()->add_value();
  scalar->set_tag(tag);
  scalar->set_simple_value(value);
  return EventRecord(event);
}

class EventCurvesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(files_.MakeDirectories("/plan/run").ok());
    ASSERT_TRUE(files_.Write("/plan/run/" + name, bytes).ok());
  }
  FakeFileSystem files_;
};

TEST_F(EventCurvesTest, AStartTakesBackWhatCameAfterTheCheckpoint) {
  Write("events.out.tfevents.000", Start(1) + Point(10, "a", 1) + Point(20, "a", 2));
  Write("events.out.tfevents.010", Start(11) + Point(20, "a", 3) + Point(20, "b", 4));
  Write("metrics.rank0.jsonl", "{}");
  EXPECT_THAT(*ReadCurves(files_, "/plan/run"),
              ElementsAre(Pair("a", ElementsAre(CurvePoint{10, 1}, CurvePoint{20, 3})),
                          Pair("b", ElementsAre(CurvePoint{20, 4}))));
}

TEST_F(EventCurvesTest, ATornFileCountsUpToItsLastWholeRecord) {
  const std::string point = Point(10, "a", 1);
  Write("events.out.tfevents.000", point + point.substr(0, 20));
  EXPECT_THAT(*ReadCurves(files_, "/plan/run"),
              ElementsAre(Pair("a", ElementsAre(CurvePoint{10, 1}))));
}

TEST_F(EventCurvesTest, WithoutFilesThereIsNoCurveAndWithoutAFolderNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ReadCurves(files_, "/plan/run").status()));
  Write("metrics.rank0.jsonl", "{}");
  EXPECT_THAT(*ReadCurves(files_, "/plan/run"), IsEmpty());
}

}  // namespace
}  // namespace distill
