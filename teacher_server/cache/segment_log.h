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

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "teacher_server/cache/label_key.h"

namespace distill {

struct SegmentLogOptions {
  // Of all segments; the oldest is deleted to make room.
  uint64_t max_bytes = uint64_t{1} << 30;
  // A segment that has so many is closed. Lowered to a quarter of max_bytes.
  uint64_t segment_bytes = uint64_t{16} << 20;
  // The index takes about 100 bytes of memory a row.
  uint64_t max_rows = uint64_t{1} << 22;
};

// A cache, not a store: rows of the last moments may be lost by a crash, and damage is a
// row that is not there. What Find gives has passed two CRCs and carries the key asked for.
// Bytes: docs/label_cache.md. Thread-compatible; every call may wait for the disk. One log
// to a directory, which holds nothing else.
class SegmentLog {
 public:
  // Reads all segments that are there: what a former log wrote is found again. Torn and
  // changed records are passed over. A new segment is begun. An error is the file
  // system's. `files` outlives the log.
  static absl::StatusOr<std::unique_ptr<SegmentLog>> Open(FileSystem* files,
                                                          const std::string& directory,
                                                          const SegmentLogOptions& options);

  // One row for each key; null where there is none, or none that can be trusted: such a
  // one is forgotten, so that it is computed and added again.
  std::vector<LabelRow> Find(std::span<const LabelKey> keys);

  // Those that are here already are passed over. After an error nothing of `rows` counts
  // as added, and the segment is closed; calling again is allowed.
  absl::Status Add(std::span<const KeyedRow> rows);

  // What was added so far survives a crash of the machine.
  absl::Status Flush();

  uint64_t bytes() const { return bytes_; }
  size_t rows() const { return index_.size(); }
  // Rows that were deleted for want of room, and records found torn or changed.
  uint64_t evictions() const { return evictions_; }
  uint64_t damaged() const { return damaged_; }

 private:
  struct Place {
    uint64_t segment = 0;
    uint64_t offset = 0;
    uint32_t values = 0;
  };
  struct Segment {
    uint64_t number = 0;
    uint64_t bytes = 0;
    std::vector<LabelKey> keys;
  };

  SegmentLog(FileSystem* files, std::string directory, const SegmentLogOptions& options);

  absl::Status ReadSegments();
  void Scan(Segment& segment, std::string_view bytes);
  LabelRow Read(const LabelKey& key, const Place& place);
  absl::Status MakeRoom(uint64_t bytes, uint64_t rows);
  absl::Status DropOldest();
  absl::Status Begin();
  absl::Status Close();
  std::string PathOf(uint64_t segment) const;

  FileSystem* const files_;
  const std::string directory_;
  const SegmentLogOptions options_;
  absl::flat_hash_map<LabelKey, Place> index_;
  // Oldest first; the last is the one that is open, if `file_` is not null.
  std::deque<Segment> segments_;
  std::unique_ptr<AppendFile> file_;
  uint64_t next_segment_ = 0;
  uint64_t bytes_ = 0;
  uint64_t evictions_ = 0;
  uint64_t damaged_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_SEGMENT_LOG_H_
