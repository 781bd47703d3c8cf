// The rows of the live cache that are in memory.
#ifndef TEACHER_SERVER_CACHE_MEMORY_TIER_H_
#define TEACHER_SERVER_CACHE_MEMORY_TIER_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "teacher_server/cache/label_key.h"

namespace distill {

// Bounded in bytes; the least recently used rows leave first. Thread-compatible. A row
// costs its values and kRowOverhead: with ten classes the bookkeeping is most of it.
class MemoryTier {
 public:
  // Of list, table and allocations: 222 bytes a row, measured with a million of them.
  static constexpr uint64_t kRowOverhead = 224;

  explicit MemoryTier(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when it is not here; otherwise the most recently used from now on.
  LabelRow Find(const LabelKey& key);

  // Replaces what the key had. A row that is larger than the bound is not kept.
  void Insert(const LabelKey& key, LabelRow row);

  void Clear();

  uint64_t bytes() const { return bytes_; }
  size_t rows() const { return index_.size(); }
  // Rows that left for want of room.
  uint64_t evictions() const { return evictions_; }

 private:
  static uint64_t CostOf(const LabelRow& row);
  void Erase(std::list<KeyedRow>::iterator row);

  const uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  uint64_t evictions_ = 0;
  // Most recently used first.
  std::list<KeyedRow> recent_;
  absl::flat_hash_map<LabelKey, std::list<KeyedRow>::iterator> index_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_MEMORY_TIER_H_
