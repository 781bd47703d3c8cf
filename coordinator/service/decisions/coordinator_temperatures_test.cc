// Which new schedules a run may get; sparse labels hold for a range of temperatures only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "coordinator/service/decisions/coordinator_harness.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class CoordinatorTemperaturesTest : public CoordinatorHarness {
 protected:
  // A run with temperatures that fall from 4 to 2.
  void SubmitStudent(const std::string& teacher, const std::string& codecs) {
    ASSERT_TRUE(
        Submit(R"(runs { name: "teacher" data_set: "digits" training { steps: 9 world_size: 1 } }
                  runs { name: "student" data_set: "digits" training { steps: 1000 world_size: 1 }
                         schedules { temperature {
                             pieces { end_step: 999 linear { from: 4 to: 2 } } } }
                         teachers { role: "t" )" +
               teacher + " } labels { " + codecs + " } }")
            .ok());
  }
  absl::Status Update(double temperature, int64_t from_step) {
    v1::UpdateScheduleRequest request;
    request.set_idempotency_key(std::to_string(from_step));
    request.set_run_id("student");
    request.set_from_step(from_step);
    request.mutable_schedules()->mutable_temperature()->add_pieces()->mutable_constant()->set_value(
        temperature);
    return coordinator_->UpdateSchedule(request, now_).status();
  }
};

TEST_F(CoordinatorTemperaturesTest, BeyondTheRangeThatSparseLabelsAreAskedForIsRefused) {
  SubmitStudent(R"(run: "teacher")", R"(codecs: "top_k/4" codecs: "dense_fp16")");
  for (const double temperature : {1.5, 4.5}) {
    const absl::Status status = Update(temperature, 500);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("leave the range 2 to 4"));
  }
  EXPECT_EQ(Update(3, 500), absl::OkStatus());
  // What holds now does not narrow it.
  EXPECT_EQ(Update(2, 600), absl::OkStatus());
}

TEST_F(CoordinatorTemperaturesTest, SchedulesThatAreNoneAreRefusedByNameAndNotKept) {
  SubmitStudent(R"(run: "teacher")", R"(codecs: "dense_fp16")");
  v1::UpdateScheduleRequest request;
  request.set_idempotency_key("k");
  request.set_run_id("student");
  request.set_from_step(500);
  const auto refusal = [&] {
    const absl::Status status = coordinator_->UpdateSchedule(request, now_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  request.mutable_schedules()->mutable_learning_rate();
  EXPECT_THAT(refusal(), HasSubstr("learning_rate.pieces"));
  request.mutable_schedules()->clear_learning_rate();
  (*request.mutable_schedules()->mutable_term_weights())["hint"]
      .add_pieces()
      ->mutable_constant()
      ->set_value(1);
  EXPECT_THAT(refusal(), HasSubstr("term_weights.hint"));
  EXPECT_EQ(coordinator_->state().FindRun("student")->schedules.size(), 1u);
}

TEST_F(CoordinatorTemperaturesTest, DenseLabelsServeEveryTemperature) {
  SubmitStudent(R"(run: "teacher")", R"(codecs: "dense_fp16")");
  EXPECT_EQ(Update(8, 500), absl::OkStatus());
}

TEST_F(CoordinatorTemperaturesTest, SoDoRecordedOnesWhateverCodecIsNamed) {
  SubmitStudent(R"(recorded_labels: "/set")", R"(codecs: "top_k/4")");
  EXPECT_EQ(Update(8, 500), absl::OkStatus());
}

}  // namespace
}  // namespace distill
