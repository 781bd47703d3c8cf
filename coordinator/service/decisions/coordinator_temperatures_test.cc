// Which new schedules a run may get; sparse labels hold for a range of temperatures only.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "coordinator/service/decisions/coordinator.h"
#include "coordinator/store/memory_store.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class CoordinatorTemperaturesTest : public ::testing::Test {
 protected:
  CoordinatorTemperaturesTest() {
    CoordinatorOptions options;
    options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
    options.data_set_digest = [](const v1::DataSetConfig& data_set) { return data_set.name(); };
    auto started = Coordinator::Start(&store_, &rendezvous_, options, now_);
    EXPECT_TRUE(started.ok()) << started.status();
    coordinator_ = *std::move(started);
  }

  // A run with temperatures that fall from 4 to 2.
  void Submit(const std::string& teacher, const std::string& codecs) {
    v1::SubmitPlanRequest request;
    request.set_idempotency_key("k");
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(name: "p" data_sets { name: "digits" classes: 10 }
           runs { name: "teacher" data_set: "digits" training { steps: 9 world_size: 1 } }
           runs { name: "student" data_set: "digits" training { steps: 1000 world_size: 1 }
                  schedules { temperature {
                      pieces { end_step: 999 linear { from: 4 to: 2 } } } }
                  teachers { role: "t" )" +
            teacher + " } labels { " + codecs + " } }",
        request.mutable_plan()));
    ASSERT_TRUE(coordinator_->SubmitPlan(request, now_).ok());
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

  const absl::Time now_ = absl::UnixEpoch();
  MemoryStore store_{std::make_shared<MemoryDisk>()};
  Rendezvous rendezvous_;
  std::unique_ptr<Coordinator> coordinator_;
};

TEST_F(CoordinatorTemperaturesTest, BeyondTheRangeThatSparseLabelsAreAskedForIsRefused) {
  Submit(R"(run: "teacher")", R"(codecs: "top_k/4" codecs: "dense_fp16")");
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
  Submit(R"(run: "teacher")", R"(codecs: "dense_fp16")");
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
  Submit(R"(run: "teacher")", R"(codecs: "dense_fp16")");
  EXPECT_EQ(Update(8, 500), absl::OkStatus());
}

TEST_F(CoordinatorTemperaturesTest, SoDoRecordedOnesWhateverCodecIsNamed) {
  Submit(R"(recorded_labels: "/set")", R"(codecs: "top_k/4")");
  EXPECT_EQ(Update(8, 500), absl::OkStatus());
}

}  // namespace
}  // namespace distill
