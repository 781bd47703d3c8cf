#include "student_worker/worker/label_heads.h"

namespace distill {

std::shared_ptr<const LabelHead> LabelHeads::FindLocked(const std::string& fingerprint) const {
  for (const Kept& kept : kept_) {
    if (kept.first == fingerprint) return kept.second;
  }
  return nullptr;
}

std::shared_ptr<const LabelHead> LabelHeads::Find(const std::string& fingerprint) const {
  absl::MutexLock lock(&mu_);
  return FindLocked(fingerprint);
}

std::shared_ptr<const LabelHead> LabelHeads::Keep(const std::string& fingerprint, LabelHead head) {
  absl::MutexLock lock(&mu_);
  if (auto kept = FindLocked(fingerprint); kept != nullptr) return kept;
  bytes_ += head.bytes();
  kept_.emplace_back(fingerprint, std::make_shared<const LabelHead>(std::move(head)));
  while (bytes_ > max_bytes_ && kept_.size() > 1) {
    bytes_ -= kept_.front().second->bytes();
    kept_.pop_front();
  }
  return kept_.back().second;
}

}  // namespace distill
