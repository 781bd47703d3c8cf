#include "coordinator/journal/faulty_store.h"

namespace distill {
namespace {

template <typename Write>
absl::Status WithFault(FaultyStore::Fault fault, Write write) {
  if (fault == FaultyStore::Fault::kDiskFull) return absl::ResourceExhaustedError("disk full");
  absl::Status status = write();
  if (fault == FaultyStore::Fault::kReplyLost) return absl::UnavailableError("reply lost");
  return status;
}

}  // namespace

absl::Status FaultyStore::Append(uint64_t first_sequence,
                                 const std::vector<std::string>& payloads) {
  return WithFault(append_fault_, [&] { return store_->Append(first_sequence, payloads); });
}

absl::Status FaultyStore::PutSnapshot(const StoredSnapshot& snapshot) {
  return WithFault(snapshot_fault_, [&] { return store_->PutSnapshot(snapshot); });
}

absl::StatusOr<std::vector<StoredRecord>> FaultyStore::ReadFrom(uint64_t first) {
  return store_->ReadFrom(first);
}
absl::StatusOr<uint64_t> FaultyStore::LastSequence() { return store_->LastSequence(); }
absl::StatusOr<std::optional<StoredSnapshot>> FaultyStore::GetSnapshot() {
  return store_->GetSnapshot();
}
absl::Status FaultyStore::TruncateBefore(uint64_t first_kept) {
  return store_->TruncateBefore(first_kept);
}

}  // namespace distill
