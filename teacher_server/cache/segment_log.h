// The rows of the live cache that are on disk: segment files that are only appended to.
#ifndef TEACHER_SERVER_CACHE_SEGMENT_LOG_H_
#define TEACHER_SERVER_CACHE_SEGMENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_system.h"
#include "teacher_server/cache/label_key.h"

namespace distill {

struct SegmentLogOptions {
  // Of all segments; the oldest is deleted to make room.
  uint64_t max_bytes = uint64_t{1} << 30;
  // A segment that has so many is closed. Lowered to a quarter of max_bytes.
  uint64_t segment_bytes = uint64_t{16} << 20;
  // The index takes about 100 bytes of memory a row; a start reads no more either.
  uint64_t max_rows = uint64_t{1} << 22;
};

// A cache, not a store: rows of the last moments may be lost by a crash, and damage is a
// row that is not there. What Find gives has passed two CRCs and carries the key asked for.
// Bytes: docs/label_cache.md. Find and the figures are thread-safe, Add, Flush and Clear
// are for one thread at a time; all but the figures may wait for the disk, and Find for no Add. One
// log to a directory, which holds nothing else.
class SegmentLog {
 public:
  // Reads the segments that are there, the newest first: what a former log wrote is found
  // again. Those that the bounds have no room for are deleted unread. Torn and changed
  // records are passed over. A new segment is begun. An error is the file system's. `files`
  // outlives the log.
  static absl::StatusOr<std::unique_ptr<SegmentLog>> Open(FileSystem* files,
                                                          const std::string& directory,
                                                          const SegmentLogOptions& options);

  // One row for each key; null where there is none, or none that can be trusted: such a
  // one is forgotten, so that it is computed and added again.
  std::vector<LabelRow> Find(std::span<const LabelKey> keys) ABSL_LOCKS_EXCLUDED(mu_);

  // Those that are here already are passed over. After an error nothing of `rows` counts
  // as added, and the segment is closed; calling again is allowed.
  absl::Status Add(std::span<const KeyedRow> rows) ABSL_LOCKS_EXCLUDED(mu_);

  // What was added so far survives a crash of the machine.
  absl::Status Flush();

  // Deletes all rows, so that a crash does not bring them back. After an error some are still
  // there; calling again is allowed.
  absl::Status Clear() ABSL_LOCKS_EXCLUDED(mu_);

  // Rows that were deleted, for want of room (but those that a start did not read) or by
  // Clear, and records found torn or changed.
  struct Figures {
    uint64_t bytes = 0;
    uint64_t rows = 0;
    uint64_t evictions = 0;
    uint64_t damaged = 0;
  };
  Figures figures() const ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t bytes() const { return figures().bytes; }
  size_t rows() const { return figures().rows; }
  uint64_t evictions() const { return figures().evictions; }
  uint64_t damaged() const { return figures().damaged; }

 private:
  struct Place {
    uint64_t segment = 0;
    uint64_t offset = 0;
    uint32_t values = 0;

    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Segment {
    uint64_t number = 0;
    uint64_t bytes = 0;
    std::vector<LabelKey> keys;
  };

  SegmentLog(FileSystem* files, std::string directory, const SegmentLogOptions& options);

  absl::Status ReadSegments() ABSL_LOCKS_EXCLUDED(mu_);
  // False, and none of it is kept, when it has more rows than that.
  bool Scan(Segment& segment, std::string_view bytes, uint64_t max_rows)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LabelRow Read(const LabelKey& key, const Place& place);
  absl::Status MakeRoom(uint64_t bytes, uint64_t rows) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status DropOldest() ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(const Segment& segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Begin();
  absl::Status Close();
  std::string PathOf(uint64_t segment) const;

  FileSystem* const files_;
  const std::string directory_;
  const SegmentLogOptions options_;

  // Of who adds. Oldest first; the last is the one that is open, if `file_` is not null.
  std::deque<Segment> segments_;
  std::unique_ptr<AppendFile> file_;
  uint64_t next_segment_ = 0;

  // Never held while the disk works.
  mutable absl::Mutex mu_;
  absl::flat_hash_map<LabelKey, Place> index_ ABSL_GUARDED_BY(mu_);
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t evictions_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t damaged_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_SEGMENT_LOG_H_
