// A SegmentLog behind executors of its own, so that nobody who must not wait does.
#ifndef TEACHER_SERVER_CACHE_DISK_TIER_H_
#define TEACHER_SERVER_CACHE_DISK_TIER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/executor/executor.h"
#include "common/files/file_system.h"
#include "teacher_server/cache/label_key.h"
#include "teacher_server/cache/segment_log.h"

namespace distill {

struct DiskTierOptions {
  std::string directory;
  SegmentLogOptions log;
  // Searches that have not been answered, and bytes of rows that are not written.
  int max_pending_finds = 64;
  uint64_t max_pending_bytes = uint64_t{64} << 20;
};

struct TierStats {
  // Rows.
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;
  // Of disk records: torn or changed; not written because the disk was too slow or failed.
  uint64_t damaged = 0;
  uint64_t dropped = 0;
  uint64_t bytes = 0;

  friend bool operator==(const TierStats&, const TierStats&) = default;
};

// Thread-safe. Searches run on `reads` and all else on `writes`, so that no search waits for
// an fsync; each is serial and runs nothing inside Schedule, and both may be one. They and the
// file system outlive what was scheduled, the tier itself need not.
class DiskTier {
 public:
  // Successive failures to write after which nothing more is written.
  static constexpr int kMaxFailures = 3;

  // Begins to read what is there. Until that is done every search finds nothing, and what
  // is added meanwhile is written afterwards. `on_error` is called on `writes` when opening
  // or writing fails; after a failed open the tier stays empty.
  DiskTier(FileSystem* files, const DiskTierOptions& options, Executor* reads, Executor* writes,
           std::function<void(const absl::Status&)> on_error);

  // Whether a search may find something.
  bool ready() const;

  // Calls `done` once, on `reads`, with a row or null for each key. Not OK (`done` is not
  // called): too many searches wait, or the executor is full or stopped; go on as if nothing
  // had been found.
  absl::Status Find(std::vector<LabelKey> keys,
                    absl::AnyInvocable<void(std::vector<LabelRow>)> done);

  // Writes them some time, or never.
  void Add(std::vector<KeyedRow> rows);

  // Deletes all rows, and writes none that were added before. Nothing is ready() until that is
  // done; ever, where it fails: on_error then says what is left.
  void Clear();

  // What was added so far survives a crash of the machine, once `writes` is through.
  void Flush();

  // Neither a `done` nor on_error is called once this has returned: for when the disk hangs
  // and whom they would tell must go. `needed` goes when all that was scheduled is through.
  void Abandon(std::shared_ptr<const void> needed = nullptr);

  TierStats stats() const;

 private:
  struct State;
  const DiskTierOptions options_;
  Executor* const reads_;
  Executor* const writes_;
  const std::shared_ptr<State> state_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_DISK_TIER_H_
