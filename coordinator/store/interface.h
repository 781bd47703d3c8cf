// Where the coordinator's journal is durable: a numbered sequence of records and
// one snapshot. Small enough for SQLite, for a key-value store such as etcd, and
// for memory. Every implementation passes conformance_suite.h.
#ifndef COORDINATOR_STORE_INTERFACE_H_
#define COORDINATOR_STORE_INTERFACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace distill {

struct StoredRecord {
  uint64_t sequence = 0;
  std::string payload;
};

struct StoredSnapshot {
  // The last record that is contained in it.
  uint64_t last_sequence = 0;
  std::string payload;
};

// Confined to one thread. Calls block until the disk has answered: never call
// one while holding a lock that an RPC thread may want.
//
// One writer: a second one is refused at its opening, or takes the place over,
// and then every call of the former writer that writes returns ABORTED.
//
// Codes of every method beside those listed: ABORTED (another writer took over:
// stop the process), DATA_LOSS (what is stored is damaged; the message says
// where), RESOURCE_EXHAUSTED (disk full), UNAVAILABLE (the medium failed). After
// RESOURCE_EXHAUSTED and UNAVAILABLE of a write it may have happened or not: read
// before writing again.
class Store {
 public:
  // Sequences are at most this, which every medium's integers hold.
  static constexpr uint64_t kMaxSequence = uint64_t{1} << 62;

  virtual ~Store() = default;

  // Makes all payloads durable under first_sequence, first_sequence + 1, ...: all
  // or none. FAILED_PRECONDITION: first_sequence is not last_sequence() + 1.
  virtual absl::Status Append(uint64_t first_sequence,
                              const std::vector<std::string>& payloads) = 0;

  // The records with sequence >= first, in order and without a gap; checked
  // against their checksums.
  virtual absl::StatusOr<std::vector<StoredRecord>> ReadFrom(uint64_t first) = 0;

  // Of the newest record, also when it lies in the snapshot only; 0 at first.
  virtual absl::StatusOr<uint64_t> LastSequence() = 0;

  // Replaces the snapshot. FAILED_PRECONDITION: it would go back, or beyond the
  // last record.
  virtual absl::Status PutSnapshot(const StoredSnapshot& snapshot) = 0;
  virtual absl::StatusOr<std::optional<StoredSnapshot>> GetSnapshot() = 0;

  // Forgets the records with sequence < first_kept. FAILED_PRECONDITION: one of
  // them is not in the snapshot.
  virtual absl::Status TruncateBefore(uint64_t first_kept) = 0;
};

}  // namespace distill

#endif  // COORDINATOR_STORE_INTERFACE_H_
