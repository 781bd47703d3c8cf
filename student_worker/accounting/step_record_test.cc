#include "student_worker/accounting/step_record.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace distill {
namespace {

StepRecord Example() {
  StepRecord record;
  record.step = 41;
  record.temperature = 2.5;
  record.soft_weight = 0.9;
  record.hard_weight = 0.1;
  record.learning_rate = 0.05;
  record.loss = 1.25;
  record.loss_terms = {{"hard", 2.0}, {"soft", 0.75}};
  record.phases[static_cast<size_t>(Phase::kForward)] = absl::Milliseconds(3);
  record.phases[static_cast<size_t>(Phase::kWaitTeacher)] = absl::Milliseconds(5);
  return record;
}

TEST(StepRecord, HoldsTermsScheduleValuesAndPhasesThatAddUp) {
  const auto line = nlohmann::json::parse(ToJsonLine(Example()));
  EXPECT_EQ(line["step"], 41);
  EXPECT_EQ(line["soft"], 0.75);
  EXPECT_EQ(line["temperature"], 2.5);
  EXPECT_EQ(line["hard_weight"], 0.1);
  EXPECT_DOUBLE_EQ(line["wait_teacher_seconds"].get<double>(), 0.005);
  EXPECT_DOUBLE_EQ(line["wall_seconds"].get<double>(), 0.008);
}

TEST(StepRecord, IsOneLineThatBeginsWithTheStep) {
  const std::string line = ToJsonLine(Example());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.rfind("{\"step\":41,", 0), 0u);
}

TEST(StepRecord, ATermWithoutAnExampleIsAbsentAndNotZero) {
  StepRecord record = Example();
  record.loss_terms.erase("hard");
  EXPECT_FALSE(nlohmann::json::parse(ToJsonLine(record)).contains("hard"));
}

TEST(StepRecord, TheTimesOfAnswersAreApartFromThePhasesAndAbsentWhereNoneCame) {
  StepRecord record = Example();
  EXPECT_FALSE(nlohmann::json::parse(ToJsonLine(record)).contains("answers"));
  record.answers += AnswerTimes{1, 0.5, 0.25, 0.0625, 0.125, 0.03125};
  record.answers += AnswerTimes{2, 1.5, 0.75, 0.0625, 0.375, 0.03125};
  const auto answers = nlohmann::json::parse(ToJsonLine(record))["answers"];
  EXPECT_EQ(answers["count"], 3);
  EXPECT_EQ(answers["total"], 2.0);
  EXPECT_EQ(answers["queue"], 1.0);
  EXPECT_EQ(answers["assemble"], 0.125);
  EXPECT_EQ(answers["infer"], 0.5);
  EXPECT_EQ(answers["encode"], 0.0625);
}

TEST(StepRecord, NumbersReadBackAsTheyWereAndStayFloats) {
  for (const double value : {0.1, 1e-5, 3.0, -0.0, 1.0 / 3, 6.02214076e23, 5e-324}) {
    StepRecord record = Example();
    record.loss = value;
    const auto loss = nlohmann::json::parse(ToJsonLine(record))["loss"];
    EXPECT_EQ(loss.get<double>(), value);
    EXPECT_TRUE(loss.is_number_float()) << ToJsonLine(record);
  }
}

TEST(StepRecord, ATermMayHaveAnyName) {
  StepRecord record = Example();
  record.loss_terms["a \"quoted\" \\ one"] = 0.5;
  EXPECT_EQ(nlohmann::json::parse(ToJsonLine(record))["a \"quoted\" \\ one"], 0.5);
}

TEST(StepRecord, NumbersThatJsonCannotHoldBecomeNull) {
  StepRecord record = Example();
  record.loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(nlohmann::json::parse(ToJsonLine(record))["loss"].is_null());
}

}  // namespace
}  // namespace distill
