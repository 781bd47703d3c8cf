#include "teacher_server/label_stream/memory_ledger.h"

namespace distill {

std::shared_ptr<const void> MemoryLedger::Account::Hold(uint64_t bytes) {
  held_ += bytes;
  total_->held += bytes;
  // No memory of its own: a pointer that gives back when its last copy goes.
  return std::shared_ptr<const void>(this, [self = shared_from_this(), bytes](const void*) {
    self->held_ -= bytes;
    self->total_->held -= bytes;
  });
}

std::shared_ptr<const void> MemoryLedger::Account::TryHold(uint64_t bytes) {
  const uint64_t limit = total_->limit;
  const uint64_t held = total_->held;
  if (held > limit || bytes > limit - held) return nullptr;
  const uint64_t own = held_;
  const uint64_t free = limit - held - bytes;
  if (own > 0 && own + bytes > free) return nullptr;
  return Hold(bytes);
}

}  // namespace distill
