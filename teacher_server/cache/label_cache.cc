#include "teacher_server/cache/label_cache.h"

#include <utility>

namespace distill {

LabelRow LabelCache::Find(const LabelKey& key) {
  LabelRow row = memory_.Find(key);
  ++(row != nullptr ? hits_ : misses_);
  return row;
}

bool LabelCache::FindOnDisk(std::vector<LabelKey> keys,
                            absl::AnyInvocable<void(std::vector<LabelRow>)> done) {
  if (disk_ == nullptr || !disk_->ready()) return false;
  return disk_->Find(std::move(keys), std::move(done)).ok();
}

void LabelCache::Add(std::vector<KeyedRow> rows) {
  for (const KeyedRow& row : rows) memory_.Insert(row.key, row.row);
  if (disk_ != nullptr) disk_->Add(std::move(rows));
}

void LabelCache::Clear() {
  ++clears_;
  memory_.Clear();
  if (disk_ != nullptr) disk_->Clear();
}

LabelCacheStats LabelCache::stats() const {
  LabelCacheStats stats;
  stats.memory.hits = hits_;
  stats.memory.misses = misses_;
  stats.memory.evictions = memory_.evictions();
  stats.memory.bytes = memory_.bytes();
  if (disk_ != nullptr) stats.disk = disk_->stats();
  return stats;
}

}  // namespace distill
