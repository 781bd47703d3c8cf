// Validate -> append durably -> apply. The coordinator's state and its record on
// disk move together: what was answered is durable, what failed changed nothing.
//
// Confined to one thread; calls block on the disk, so never under a lock that an
// RPC thread may want. Does not own the store.
#ifndef COORDINATOR_JOURNAL_JOURNAL_H_
#define COORDINATOR_JOURNAL_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/store/interface.h"
#include "proto/journal.pb.h"

namespace distill {

struct JournalOptions {
  // A snapshot is taken, and the records before it dropped, after so many.
  uint64_t snapshot_every_records = 1'000;
  // A larger record is refused: it must fit any store and any message.
  size_t max_record_bytes = size_t{1} << 20;
};

class Journal {
 public:
  // Replays the snapshot and the records after it. DATA_LOSS: a record cannot be
  // read or does not follow from those before it (names it); else the store's codes.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(Store* store, const JournalOptions& options);

  // All updates become durable and are applied, or none is. Each is validated in
  // the state that those before it give. Codes: those of
  // CoordinatorState::Validate; INVALID_ARGUMENT (record too large); those of the
  // store. After a store's error the caller may try again: see Settle.
  absl::Status Write(const std::vector<v1::Update>& updates);

  // A write whose answer was lost may have happened. Reads what the store has and
  // applies it, so that state() is the truth again; the caller then looks its
  // idempotency key up before it writes anew. OK and free when nothing is open.
  absl::Status Settle();

  const CoordinatorState& state() const { return state_; }
  uint64_t last_sequence() const { return last_sequence_; }
  // Snapshots that failed. Nothing is lost by one: the records are still there.
  uint64_t failed_snapshots() const { return failed_snapshots_; }

 private:
  Journal(Store* store, const JournalOptions& options) : store_(store), options_(options) {}
  absl::Status ReplaySnapshot();
  absl::Status ReplayRecords();
  void MaybeSnapshot();
  absl::Status TakeSnapshot();

  Store* const store_;
  const JournalOptions options_;
  CoordinatorState state_;
  uint64_t last_sequence_ = 0;
  uint64_t snapshot_attempt_ = 0;
  uint64_t failed_snapshots_ = 0;
  bool unsettled_ = false;
};

}  // namespace distill

#endif  // COORDINATOR_JOURNAL_JOURNAL_H_
