// The live cache of a teacher server: labels it has computed, shared by all students.
#ifndef TEACHER_SERVER_CACHE_LABEL_CACHE_H_
#define TEACHER_SERVER_CACHE_LABEL_CACHE_H_

#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_key.h"
#include "teacher_server/cache/memory_tier.h"

namespace distill {

struct LabelCacheStats {
  TierStats memory;
  TierStats disk;

  friend bool operator==(const LabelCacheStats&, const LabelCacheStats&) = default;
};

// A tier in memory, and one on disk below it that everything added goes to as well: it
// outlives the process. Exact streams must not ask it. Thread-compatible, except that
// `done` of FindOnDisk is called on the disk's executor. Nothing here waits for the disk.
//
//   LabelRow row = cache.Find(key);                  // now, or
//   if (cache.FindOnDisk(keys, done)) ...            // later, and Remember what came
//   cache.Add({{key, computed}});                    // else compute
class LabelCache {
 public:
  // `disk` may be null, and outlives the cache.
  LabelCache(uint64_t memory_bytes, DiskTier* disk) : memory_(memory_bytes), disk_(disk) {}

  // Null when it is not in memory.
  LabelRow Find(const LabelKey& key);

  // False when the disk need not or cannot be asked now; then `done` is not called.
  bool FindOnDisk(std::vector<LabelKey> keys, absl::AnyInvocable<void(std::vector<LabelRow>)> done);

  // Computed labels, which passed CheckTeacherLogits.
  void Add(std::vector<KeyedRow> rows);

  // Some rows may be wrong: all are forgotten, on disk too, where what Add was given before is
  // not written any more. What a search of the disk that began before gives must not come back.
  void Clear();
  uint64_t clears() const { return clears_; }

  // A row that the disk gave.
  void Remember(const KeyedRow& row) { memory_.Insert(row.key, row.row); }

  LabelCacheStats stats() const;

 private:
  MemoryTier memory_;
  DiskTier* const disk_;
  uint64_t hits_ = 0;
  uint64_t misses_ = 0;
  uint64_t clears_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_LABEL_CACHE_H_
