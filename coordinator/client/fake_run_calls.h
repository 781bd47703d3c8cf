// A RunCalls that keeps what it is asked and answers as it is told.
#ifndef COORDINATOR_CLIENT_FAKE_RUN_CALLS_H_
#define COORDINATOR_CLIENT_FAKE_RUN_CALLS_H_

#include <string>
#include <vector>

#include "coordinator/client/run_calls.h"

namespace distill {

// Thread-compatible: a test reads it when nobody calls. Has no rendezvous; collectives
// have a fake of their own (student_worker/collectives/fake_key_value_store.h).
class FakeRunCalls final : public RunCalls {
 public:
  absl::StatusOr<v1::CommitCheckpointResponse> CommitCheckpoint(
      const v1::CommitCheckpointRequest& request) override {
    commits.push_back(request);
    return commit_answer;
  }
  absl::Status FinishRun(const v1::FinishRunRequest& request) override {
    finished.push_back(request);
    return absl::OkStatus();
  }
  absl::Status FailRun(const v1::FailRunRequest& request) override {
    failures.push_back(request);
    return fail_answer;
  }
  absl::Status StoreSet(const v1::StoreScope&, const std::string&, const std::string&) override {
    return NoRendezvous();
  }
  absl::StatusOr<std::vector<std::string>> StoreGet(const v1::StoreScope&,
                                                    const std::vector<std::string>&,
                                                    absl::Duration) override {
    return NoRendezvous();
  }
  absl::StatusOr<int64_t> StoreAdd(const v1::StoreScope&, const std::string&, int64_t) override {
    return NoRendezvous();
  }

  std::vector<v1::CommitCheckpointRequest> commits;
  std::vector<v1::FinishRunRequest> finished;
  std::vector<v1::FailRunRequest> failures;
  absl::StatusOr<v1::CommitCheckpointResponse> commit_answer = v1::CommitCheckpointResponse();
  absl::Status fail_answer;

 private:
  static absl::Status NoRendezvous() { return absl::UnimplementedError("the fake has none"); }
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_FAKE_RUN_CALLS_H_
