// A student that only asks: keeps some requests under way on one Label stream.
#ifndef BENCHMARKS_SUPPORT_LOAD_H_
#define BENCHMARKS_SUPPORT_LOAD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/bytes/byte_slices.h"
#include "proto/teacher.pb.h"
#include "teacher_server/client/label_channel.h"

namespace distill {

struct LoadOptions {
  std::string address;
  v1::Open open;
  int window = 4;
  // Ids rise from 1.
  std::function<v1::Ask(uint64_t request_id)> ask;
  // Of each ask, when it has a tensor bundle: its elements.
  ByteSlices tensors;
  // Null: not called. Called on gRPC's threads.
  std::function<void(uint64_t request_id)> answered;
};

class Load {
 public:
  // Waits until the stream is open. DEADLINE_EXCEEDED after ten seconds.
  static absl::StatusOr<std::unique_ptr<Load>> Open(const LoadOptions& options);
  ~Load();

  // Asks `requests` times and returns at once; Wait says when all are answered.
  void Start(int64_t requests);
  // Asks once more, when the window allows; after what was added before.
  void Add();
  // The first failure, or DEADLINE_EXCEEDED.
  absl::Status Wait(absl::Duration timeout);

 private:
  explicit Load(const LoadOptions& options) : options_(options) {}
  void AskNext();
  void OnAnswered(uint64_t request_id);
  void OnFailed(const absl::Status& status);

  const LoadOptions options_;
  std::shared_ptr<LabelChannel> channel_;
  absl::Mutex mu_;
  bool opened_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t last_request_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t unasked_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

// `requests` of each load at once, until all are answered.
absl::Status RunLoads(const std::vector<std::unique_ptr<Load>>& loads, int64_t requests);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_LOAD_H_
