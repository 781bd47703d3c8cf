// Asks that come when they come and whose answers are worthless after a short time.
#ifndef BENCHMARKS_FROZEN_DEADLINE_LOAD_H_
#define BENCHMARKS_FROZEN_DEADLINE_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "proto/teacher.pb.h"
#include "teacher_server/client/label_channel.h"

namespace distill {

struct DeadlineLoadOptions {
  std::string address;
  v1::Open open;
  int students = 8;
  // Of an ask.
  int64_t rows = 16;
  absl::Duration remaining = absl::Milliseconds(200);
};

// Asks that were made in a stretch of time.
struct DeadlineCounts {
  // Labels came, within the remaining time or after it, as the student sees it.
  int64_t in_time = 0;
  int64_t late = 0;
  // Of the late ones, together.
  absl::Duration late_by;
  // The server refused or dropped it, or the student's credit was used up.
  int64_t refused = 0;
};

// Nobody asks again: the load is what it is, whatever the server says. Thread-compatible.
class DeadlineLoad {
 public:
  // Waits until the streams are open. DEADLINE_EXCEEDED after ten seconds. The clock must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<DeadlineLoad>> Open(const DeadlineLoadOptions& options,
                                                            Clock* clock);
  ~DeadlineLoad();

  // Asks at each of the times from now on, the students in turns, and returns when all have
  // a terminal answer: the counts of those from `counted` on. A stream's end is an error.
  absl::StatusOr<DeadlineCounts> Run(const std::vector<absl::Duration>& arrivals,
                                     absl::Duration counted);

 private:
  struct Asked {
    absl::Duration at;
    bool counts = false;
  };
  struct Student {
    std::shared_ptr<LabelChannel> channel;
    bool opened = false;
    bool closed = false;
    uint64_t last_request = 0;
    std::unordered_map<uint64_t, Asked> unanswered;
  };

  DeadlineLoad(const DeadlineLoadOptions& options, Clock* clock)
      : options_(options), clock_(clock) {}
  absl::Status Connect(size_t student);
  void Ask(size_t student, bool counts) ABSL_LOCKS_EXCLUDED(mu_);
  void OnTerminal(size_t student, uint64_t request_id, bool labels) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Await(bool (*done)(const Student&)) ABSL_LOCKS_EXCLUDED(mu_);

  const DeadlineLoadOptions options_;
  Clock* const clock_;
  absl::Mutex mu_;
  std::vector<Student> students_ ABSL_GUARDED_BY(mu_);
  DeadlineCounts counts_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // BENCHMARKS_FROZEN_DEADLINE_LOAD_H_
