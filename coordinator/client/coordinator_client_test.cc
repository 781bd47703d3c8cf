#include "coordinator/client/coordinator_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "coordinator/client/loopback_coordinator.h"

namespace distill {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Takes connections and never says a word.
class DeafServer {
 public:
  DeafServer() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(at.sin_port));
  }
  ~DeafServer() { close(socket_); }
  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

class CoordinatorClientTest : public ::testing::Test {
 protected:
  CoordinatorClientTest() : timers_(&clock_), disk_(std::make_shared<MemoryDisk>()) {
    coordinator_.emplace(disk_, &clock_, &timers_);
    client_ = Connect(coordinator_->address(), {});
  }
  std::unique_ptr<CoordinatorClient> Connect(const std::string& address,
                                             const RetryPolicy& policy) {
    CoordinatorClientOptions options;
    options.coordinator = address;
    options.retry = policy;
    auto client = CoordinatorClient::Create(options, {&system_clock_, [] { return 0.5; },
                                                      [](absl::Duration wait) {
                                                        absl::SleepFor(wait);
                                                        return true;
                                                      }});
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  v1::PlanStatus::PlanState State() {
    const auto status = client_->GetPlan();
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->state() : v1::PlanStatus::PLAN_STATE_UNSPECIFIED;
  }
  v1::StoreScope World(const std::string& run, uint64_t generation) {
    coordinator_->rendezvous().SetWorlds({{run, generation}});
    v1::StoreScope scope;
    scope.set_run_id(run);
    scope.set_generation(generation);
    return scope;
  }

  SystemClock system_clock_;
  FakeClock clock_;
  FakeTimerQueue timers_;
  const std::shared_ptr<MemoryDisk> disk_;
  std::optional<LoopbackCoordinator> coordinator_;
  std::unique_ptr<CoordinatorClient> client_;
};

TEST_F(CoordinatorClientTest, APlanSubmittedTwiceWithOneKeyIsOnePlan) {
  const auto first = client_->SubmitPlan(SmallPlan("k"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->empty());
  const auto again = client_->SubmitPlan(SmallPlan("k"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *first);
  EXPECT_EQ(client_->SubmitPlan(SmallPlan("other")).status().code(), StatusCode::kAlreadyExists);
}

TEST_F(CoordinatorClientTest, WithoutAPlanNoneIsFound) {
  EXPECT_EQ(client_->GetPlan().status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(client_->SubmitPlan(SmallPlan("k")).ok());
  const auto plan = client_->GetPlan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->runs_size(), 1);
  EXPECT_EQ(plan->runs(0).run_id(), "r");
}

TEST_F(CoordinatorClientTest, AStoppedPlanGoesOnWhenResumed) {
  EXPECT_EQ(client_->StopPlan("s", "enough").code(), StatusCode::kNotFound);
  ASSERT_TRUE(client_->SubmitPlan(SmallPlan("k")).ok());
  ASSERT_TRUE(client_->StopPlan("s", "enough").ok());
  EXPECT_EQ(State(), v1::PlanStatus::STOPPED);
  EXPECT_THAT(client_->GetPlan()->runs(0).message(), HasSubstr("enough (asked by ipv4:127.0.0.1:"));
  ASSERT_TRUE(client_->ResumePlan("r").ok());
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
  ASSERT_TRUE(client_->StopPlan("s", "enough").ok());  // the same call, come late
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
}

TEST_F(CoordinatorClientTest, AGetWaitsUntilEveryKeyIsSet) {
  const v1::StoreScope scope = World("r", 1);
  ASSERT_TRUE(client_->StoreSet(scope, "a", "1").ok());
  std::atomic<bool> answered = false;
  absl::StatusOr<std::vector<std::string>> values;
  std::thread getter([&] {
    values = client_->StoreGet(scope, {"b", "a"}, kTestPatience);
    answered = true;
  });
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_FALSE(answered);
  EXPECT_TRUE(client_->StoreSet(scope, "b", std::string("\0\xff", 2)).ok());
  getter.join();
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, ElementsAre(std::string("\0\xff", 2), "1"));
}

TEST_F(CoordinatorClientTest, AGetEndsByItsDeadlineAndLeavesNoWaiter) {
  const v1::StoreScope scope = World("r", 1);
  const auto values = client_->StoreGet(scope, {"never"}, absl::Milliseconds(50));
  EXPECT_EQ(values.status().code(), StatusCode::kDeadlineExceeded);
  // A waiter that was left would hold its call, and with it the shutdown.
  EXPECT_LT(coordinator_->Shutdown(kTestPatience), kTestPatience / 2);
}

TEST_F(CoordinatorClientTest, AGetIsAbortedWhenItsWorldEnds) {
  const v1::StoreScope scope = World("r", 1);
  absl::Status status;
  std::atomic<bool> answered = false;
  std::thread getter([&] {
    status = client_->StoreGet(scope, {"never"}, kTestPatience).status();
    answered = true;
  });
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(answered);
  World("r", 2);
  getter.join();
  EXPECT_EQ(status.code(), StatusCode::kAborted) << status;
  EXPECT_EQ(client_->StoreSet(scope, "a", "1").code(), StatusCode::kAborted);
  EXPECT_EQ(client_->StoreAdd(scope, "n", 1).status().code(), StatusCode::kAborted);
}

TEST_F(CoordinatorClientTest, AnAddGivesTheSum) {
  const v1::StoreScope scope = World("r", 1);
  EXPECT_EQ(client_->StoreAdd(scope, "n", 3).value_or(-1), 3);
  EXPECT_EQ(client_->StoreAdd(scope, "n", -5).value_or(-1), -2);
  ASSERT_TRUE(client_->StoreSet(scope, "text", "x").ok());
  EXPECT_EQ(client_->StoreAdd(scope, "text", 1).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(CoordinatorClientTest, ACoordinatorThatDoesNotAnswerIsNamedWithinTheRetryBudget) {
  const DeafServer deaf;
  const auto client = Connect(
      deaf.address(), {.budget = absl::Milliseconds(400), .attempt = absl::Milliseconds(100)});
  const auto expect_named = [&](const absl::Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(deaf.address()));
  };
  const absl::Time began = absl::Now();
  expect_named(client->GetPlan().status());
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
  expect_named(client->SubmitPlan(SmallPlan("k")).status());
  expect_named(client->StopPlan("s", "enough"));
  expect_named(client->ResumePlan("r"));
}

TEST_F(CoordinatorClientTest, ACoordinatorThatIsNotThereIsNamedByEveryCall) {
  const std::string address = coordinator_->address();
  coordinator_.reset();
  const auto client = Connect(address, {.budget = absl::Milliseconds(100)});
  const auto expect_named = [&](const absl::Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address + " does not answer"));
  };
  const v1::StoreScope scope;
  expect_named(client->GetPlan().status());
  expect_named(client->FinishRun({}));
  expect_named(client->StopPlan("s", "enough"));
  expect_named(client->ResumePlan("r"));
  expect_named(client->StoreSet(scope, "a", "1"));
  expect_named(client->StoreGet(scope, {"a"}, absl::Seconds(1)).status());
  expect_named(client->StoreAdd(scope, "n", 1).status());
}

TEST_F(CoordinatorClientTest, ACallOutlivesARestartOfTheCoordinator) {
  ASSERT_TRUE(client_->SubmitPlan(SmallPlan("k")).ok());
  const std::string address = coordinator_->address();
  coordinator_.reset();
  absl::StatusOr<v1::PlanStatus> plan;
  std::thread caller([&] { plan = client_->GetPlan(); });
  absl::SleepFor(absl::Milliseconds(200));
  coordinator_.emplace(disk_, &clock_, &timers_, address);
  caller.join();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->state(), v1::PlanStatus::RUNNING);
}

}  // namespace
}  // namespace distill
