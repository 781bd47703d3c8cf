#include "teacher_server/cache/memory_tier.h"

#include <utility>

namespace distill {

LabelRow MemoryTier::Find(const LabelKey& key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second);
  return it->second->row;
}

void MemoryTier::Insert(const LabelKey& key, LabelRow row) {
  if (const auto it = index_.find(key); it != index_.end()) Erase(it->second);
  const uint64_t cost = CostOf(row);
  if (cost > max_bytes_) return;
  while (bytes_ + cost > max_bytes_) {
    Erase(std::prev(recent_.end()));
    ++evictions_;
  }
  bytes_ += cost;
  recent_.push_front({key, std::move(row)});
  index_[key] = recent_.begin();
}

void MemoryTier::Clear() {
  index_.clear();
  recent_.clear();
  bytes_ = 0;
}

uint64_t MemoryTier::CostOf(const LabelRow& row) {
  return row->size() * sizeof(float) + kRowOverhead;
}

void MemoryTier::Erase(std::list<KeyedRow>::iterator row) {
  bytes_ -= CostOf(row->row);
  index_.erase(row->key);
  recent_.erase(row);
}

}  // namespace distill
