// The heads of teachers that this process has asked for, so that each is asked for once.
#ifndef STUDENT_WORKER_WORKER_LABEL_HEADS_H_
#define STUDENT_WORKER_WORKER_LABEL_HEADS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "distillation/labels/label_head.h"

namespace distill {

// Thread-safe.
class LabelHeads {
 public:
  // Of one head, and of all that are kept: 128,000 classes of 4,096 features.
  static constexpr uint64_t kMaxBytes = uint64_t{2} << 30;

  explicit LabelHeads(uint64_t max_bytes = kMaxBytes) : max_bytes_(max_bytes) {}
  uint64_t max_bytes() const { return max_bytes_; }

  // Null where it is not kept.
  std::shared_ptr<const LabelHead> Find(const std::string& fingerprint) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Lets go of those kept longest where there would be too many bytes, but of no one's that use
  // them. The newest is always kept; of two of one fingerprint the first, which is given back.
  std::shared_ptr<const LabelHead> Keep(const std::string& fingerprint, LabelHead head)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Kept = std::pair<std::string, std::shared_ptr<const LabelHead>>;

  std::shared_ptr<const LabelHead> FindLocked(const std::string& fingerprint) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint64_t max_bytes_;
  mutable absl::Mutex mu_;
  // Oldest first.
  std::deque<Kept> kept_ ABSL_GUARDED_BY(mu_);
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_LABEL_HEADS_H_
