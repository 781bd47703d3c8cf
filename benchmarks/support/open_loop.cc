#include "benchmarks/support/open_loop.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/synchronization/notification.h"
#include "common/status/status_macros.h"

namespace distill {

std::vector<absl::Duration> PoissonArrivals(uint64_t seed, double per_second, absl::Duration time) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(per_second);
  std::vector<absl::Duration> arrivals;
  for (absl::Duration at = absl::Seconds(gap(random)); at < time;
       at += absl::Seconds(gap(random))) {
    arrivals.push_back(at);
  }
  return arrivals;
}

absl::Duration Quantile(std::vector<absl::Duration> values, double share) {
  ABSL_RAW_CHECK(!values.empty(), "a quantile of nothing");
  const auto count = static_cast<double>(values.size());
  const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(share * count)));
  const auto nth = values.begin() + static_cast<int64_t>(std::min(rank, values.size()) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

absl::StatusOr<std::unique_ptr<OpenLoop>> OpenLoop::Open(LoadOptions options, int students,
                                                         Clock* clock) {
  std::unique_ptr<OpenLoop> loop(new OpenLoop(clock));
  OpenLoop* const self = loop.get();
  {
    absl::MutexLock lock(&loop->mu_);
    loop->waiting_.resize(students);
  }
  for (int i = 0; i < students; ++i) {
    options.answered = [self, i](uint64_t request_id) { self->OnAnswered(i, request_id); };
    ASSIGN_OR_RETURN(loop->loads_.emplace_back(), Load::Open(options));
  }
  return loop;
}

absl::StatusOr<std::vector<absl::Duration>> OpenLoop::Run(
    const std::vector<absl::Duration>& arrivals) {
  {
    absl::MutexLock lock(&mu_);
    took_.clear();
  }
  const absl::Duration start = clock_->MonotonicNow();
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const absl::Duration at = start + arrivals[i];
    // One that is late is made at once, and its wait counts.
    absl::Notification().WaitForNotificationWithTimeout(at - clock_->MonotonicNow());
    const size_t student = i % loads_.size();
    {
      absl::MutexLock lock(&mu_);
      waiting_[student].since.push_back(at);
    }
    loads_[student]->Add();
  }
  for (const std::unique_ptr<Load>& load : loads_) {
    RETURN_IF_ERROR(load->Wait(absl::Minutes(5)));
  }
  absl::MutexLock lock(&mu_);
  return std::exchange(took_, {});
}

void OpenLoop::OnAnswered(size_t student, uint64_t request_id) {
  const absl::Duration now = clock_->MonotonicNow();
  absl::MutexLock lock(&mu_);
  took_.push_back(now - waiting_[student].since[request_id - 1]);
}

}  // namespace distill
