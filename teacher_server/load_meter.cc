#include "teacher_server/load_meter.h"

#include <algorithm>

namespace distill {
namespace {

// Rows that were looked up: each first in memory.
uint64_t LookedUp(const LabelCacheStats& stats) { return stats.memory.hits + stats.memory.misses; }
uint64_t Found(const LabelCacheStats& stats) { return stats.memory.hits + stats.disk.hits; }

}  // namespace

LoadMeter::LoadMeter(ServingObserver* next, Clock* clock)
    : next_(next), clock_(clock), since_(clock->MonotonicNow()) {}

v1::TeacherLoad LoadMeter::Take() {
  const absl::Duration now = clock_->MonotonicNow();
  absl::MutexLock lock(&mu_);
  v1::TeacherLoad load;
  const double seconds = absl::ToDoubleSeconds(now - since_);
  if (seconds > 0) {
    load.set_rows_per_second(static_cast<double>(rows_) / seconds);
    // A batch counts when it ends: one may have begun before.
    load.set_busy_ratio(std::min(1.0, absl::ToDoubleSeconds(computed_) / seconds));
  }
  load.set_queue_rows(queue_rows_);
  load.set_queue_requests(queue_requests_);
  const uint64_t asked = LookedUp(cache_) - LookedUp(cache_then_);
  if (asked > 0) {
    const uint64_t found = Found(cache_) - Found(cache_then_);
    load.set_cache_hit_ratio(
        std::min(1.0, static_cast<double>(found) / static_cast<double>(asked)));
  }
  since_ = now;
  rows_ = 0;
  computed_ = absl::ZeroDuration();
  cache_then_ = cache_;
  return load;
}

void LoadMeter::OnAnswered(absl::StatusCode code, int64_t examples, absl::Duration since_admitted) {
  if (code == absl::StatusCode::kOk) {
    absl::MutexLock lock(&mu_);
    rows_ += examples;
  }
  if (next_ != nullptr) next_->OnAnswered(code, examples, since_admitted);
}

void LoadMeter::OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
                        absl::Duration compute) {
  {
    absl::MutexLock lock(&mu_);
    computed_ += compute;
  }
  if (next_ != nullptr) next_->OnBatch(reason, examples, queue, compute);
}

void LoadMeter::OnFill(double fill, double padding) {
  if (next_ != nullptr) next_->OnFill(fill, padding);
}

void LoadMeter::OnShed(const char* reason) {
  if (next_ != nullptr) next_->OnShed(reason);
}

void LoadMeter::OnCanary(bool passed, double deviation) {
  if (next_ != nullptr) next_->OnCanary(passed, deviation);
}

void LoadMeter::OnQueue(int64_t waiting_examples, size_t waiting_requests) {
  {
    absl::MutexLock lock(&mu_);
    queue_rows_ = waiting_examples;
    queue_requests_ = static_cast<int64_t>(waiting_requests);
  }
  if (next_ != nullptr) next_->OnQueue(waiting_examples, waiting_requests);
}

void LoadMeter::OnCache(const LabelCacheStats& stats) {
  {
    absl::MutexLock lock(&mu_);
    cache_ = stats;
  }
  if (next_ != nullptr) next_->OnCache(stats);
}

}  // namespace distill
