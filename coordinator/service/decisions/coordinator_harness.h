// For tests: a coordinator over a journal in memory, whose peers and time are the test's.
#ifndef COORDINATOR_SERVICE_DECISIONS_COORDINATOR_HARNESS_H_
#define COORDINATOR_SERVICE_DECISIONS_COORDINATOR_HARNESS_H_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/service/decisions/coordinator.h"
#include "coordinator/service/decisions/rendezvous.h"
#include "coordinator/store/memory_store.h"
#include "proto/coordinator.pb.h"

namespace distill {

class CoordinatorHarness : public ::testing::Test {
 protected:
  CoordinatorHarness() {
    CoordinatorOptions options;
    options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
    options.data_set_digest = [](const v1::DataSetConfig& data_set) { return data_set.name(); };
    auto started = Coordinator::Start(&store_, &rendezvous_, options, now_);
    EXPECT_TRUE(started.ok()) << started.status();
    coordinator_ = *std::move(started);
  }

  void Hello(uint64_t session, const std::string& worker, v1::Role role = v1::STUDENT_WORKER) {
    v1::Hello hello;
    hello.set_role(role);
    hello.set_worker(worker);
    hello.set_incarnation(1);
    ASSERT_TRUE(coordinator_->OnHello(session, PeerIdentity{}, hello, now_).ok());
  }
  // Runs as text, over the data set "digits" of ten classes.
  absl::Status Submit(const std::string& runs) {
    v1::SubmitPlanRequest request;
    request.set_idempotency_key("k");
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(name: "p" data_sets { name: "digits" classes: 10 } )" + runs, request.mutable_plan()));
    return coordinator_->SubmitPlan(request, now_).status();
  }

  absl::Time now_ = absl::UnixEpoch();
  MemoryStore store_{std::make_shared<MemoryDisk>()};
  Rendezvous rendezvous_;
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_DECISIONS_COORDINATOR_HARNESS_H_
