#include "coordinator/store/memory_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace distill {

MemoryStore::MemoryStore(std::shared_ptr<MemoryDisk> disk)
    : disk_(std::move(disk)), writer_(++disk_->writer) {}

absl::Status MemoryStore::CheckWriter() const {
  if (disk_->writer == writer_) return absl::OkStatus();
  return absl::AbortedError("another coordinator has opened this store: stop this one");
}

uint64_t MemoryStore::Last() const {
  const uint64_t in_snapshot = disk_->snapshot.has_value() ? disk_->snapshot->last_sequence : 0;
  if (disk_->records.empty()) return in_snapshot;
  return std::max(in_snapshot, disk_->records.rbegin()->first);
}

absl::Status MemoryStore::Append(uint64_t first_sequence,
                                 const std::vector<std::string>& payloads) {
  if (absl::Status status = CheckWriter(); !status.ok()) return status;
  if (first_sequence != Last() + 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("record ", first_sequence, " does not follow ", Last()));
  }
  uint64_t sequence = first_sequence;
  for (const std::string& payload : payloads) disk_->records[sequence++] = payload;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredRecord>> MemoryStore::ReadFrom(uint64_t first) {
  std::vector<StoredRecord> out;
  for (auto it = disk_->records.lower_bound(first); it != disk_->records.end(); ++it) {
    out.push_back({it->first, it->second});
  }
  return out;
}

absl::StatusOr<uint64_t> MemoryStore::LastSequence() { return Last(); }

absl::Status MemoryStore::PutSnapshot(const StoredSnapshot& snapshot) {
  if (absl::Status status = CheckWriter(); !status.ok()) return status;
  const uint64_t former = disk_->snapshot.has_value() ? disk_->snapshot->last_sequence : 0;
  if (snapshot.last_sequence < former || snapshot.last_sequence > Last()) {
    return absl::FailedPreconditionError(absl::StrCat("a snapshot of record ",
                                                      snapshot.last_sequence, " must lie between ",
                                                      former, " and ", Last()));
  }
  disk_->snapshot = snapshot;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StoredSnapshot>> MemoryStore::GetSnapshot() { return disk_->snapshot; }

absl::Status MemoryStore::TruncateBefore(uint64_t first_kept) {
  if (absl::Status status = CheckWriter(); !status.ok()) return status;
  const uint64_t in_snapshot = disk_->snapshot.has_value() ? disk_->snapshot->last_sequence : 0;
  if (first_kept > in_snapshot + 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("records before ", first_kept, " are not all in the snapshot, which ends at ",
                     in_snapshot));
  }
  disk_->records.erase(disk_->records.begin(), disk_->records.lower_bound(first_kept));
  return absl::OkStatus();
}

}  // namespace distill
