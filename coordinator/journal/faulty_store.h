// A store whose next writes fail, before or after they happened.
#ifndef COORDINATOR_JOURNAL_FAULTY_STORE_H_
#define COORDINATOR_JOURNAL_FAULTY_STORE_H_

#include <string>
#include <vector>

#include "coordinator/store/interface.h"

namespace distill {

// Forwards to a store that it does not own.
class FaultyStore : public Store {
 public:
  enum class Fault { kNone, kDiskFull, kReplyLost };

  explicit FaultyStore(Store* store) : store_(store) {}
  // Of every Append and PutSnapshot from now on.
  void set_append_fault(Fault fault) { append_fault_ = fault; }
  void set_snapshot_fault(Fault fault) { snapshot_fault_ = fault; }

  absl::Status Append(uint64_t first_sequence, const std::vector<std::string>& payloads) override;
  absl::StatusOr<std::vector<StoredRecord>> ReadFrom(uint64_t first) override;
  absl::StatusOr<uint64_t> LastSequence() override;
  absl::Status PutSnapshot(const StoredSnapshot& snapshot) override;
  absl::StatusOr<std::optional<StoredSnapshot>> GetSnapshot() override;
  absl::Status TruncateBefore(uint64_t first_kept) override;

 private:
  Store* const store_;
  Fault append_fault_ = Fault::kNone;
  Fault snapshot_fault_ = Fault::kNone;
};

}  // namespace distill

#endif  // COORDINATOR_JOURNAL_FAULTY_STORE_H_
