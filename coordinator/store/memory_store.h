// A store in memory: for tests and simulations, and the plainest reading of the
// interface.
#ifndef COORDINATOR_STORE_MEMORY_STORE_H_
#define COORDINATOR_STORE_MEMORY_STORE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/store/interface.h"

namespace distill {

// What outlives the process: shared by the stores that are opened on it in turn.
struct MemoryDisk {
  std::map<uint64_t, std::string> records;
  std::optional<StoredSnapshot> snapshot;
  // Rises with each opening; an earlier writer is thereby shut out.
  uint64_t writer = 0;
};

class MemoryStore : public Store {
 public:
  // Takes the disk over from any earlier writer.
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk);

  absl::Status Append(uint64_t first_sequence, const std::vector<std::string>& payloads) override;
  absl::StatusOr<std::vector<StoredRecord>> ReadFrom(uint64_t first) override;
  absl::StatusOr<uint64_t> LastSequence() override;
  absl::Status PutSnapshot(const StoredSnapshot& snapshot) override;
  absl::StatusOr<std::optional<StoredSnapshot>> GetSnapshot() override;
  absl::Status TruncateBefore(uint64_t first_kept) override;

 private:
  absl::Status CheckWriter() const;
  uint64_t Last() const;

  const std::shared_ptr<MemoryDisk> disk_;
  const uint64_t writer_;
};

}  // namespace distill

#endif  // COORDINATOR_STORE_MEMORY_STORE_H_
