#include "coordinator/journal/journal.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(Store* store,
                                                       const JournalOptions& options) {
  std::unique_ptr<Journal> journal(new Journal(store, options));
  RETURN_IF_ERROR(journal->ReplaySnapshot());
  RETURN_IF_ERROR(journal->ReplayRecords());
  return journal;
}

absl::Status Journal::ReplaySnapshot() {
  ASSIGN_OR_RETURN(const std::optional<StoredSnapshot> stored, store_->GetSnapshot());
  if (!stored.has_value()) return absl::OkStatus();
  v1::Snapshot snapshot;
  if (!snapshot.ParseFromString(stored->payload) ||
      snapshot.last_sequence() != stored->last_sequence) {
    return WithErrorId(
        absl::DataLossError("the journal's snapshot cannot be read: restore it from a copy"),
        ErrorId::kJournalDamaged);
  }
  for (const v1::Update& update : snapshot.updates()) {
    if (update.update_case() == v1::Update::UPDATE_NOT_SET) {
      return WithErrorId(
          absl::DataLossError("the journal's snapshot was written by a newer coordinator"),
          ErrorId::kJournalOfAnotherVersion);
    }
    state_.Apply(update);
  }
  last_sequence_ = snapshot_attempt_ = stored->last_sequence;
  return absl::OkStatus();
}

absl::Status Journal::ReplayRecords() {
  ASSIGN_OR_RETURN(const std::vector<StoredRecord> records, store_->ReadFrom(last_sequence_ + 1));
  for (const StoredRecord& record : records) {
    if (record.sequence != last_sequence_ + 1) {
      return WithErrorId(
          absl::DataLossError(absl::StrCat("journal record ", last_sequence_ + 1, " is missing")),
          ErrorId::kJournalDamaged);
    }
    v1::Update update;
    if (!update.ParseFromString(record.payload)) {
      return WithErrorId(
          absl::DataLossError(absl::StrCat("journal record ", record.sequence, " cannot be read")),
          ErrorId::kJournalDamaged);
    }
    if (absl::Status status = state_.Validate(update); !status.ok()) {
      return WithErrorId(absl::DataLossError(absl::StrCat(
                             "journal record ", record.sequence,
                             " does not follow from those before it: ", status.message())),
                         ErrorId::kJournalDamaged);
    }
    state_.Apply(update);
    last_sequence_ = record.sequence;
  }
  return absl::OkStatus();
}

absl::Status Journal::Settle() {
  if (!unsettled_) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(ReplayRecords(), "journal: after a failed write"));
  unsettled_ = false;
  return absl::OkStatus();
}

absl::Status Journal::Write(const std::vector<v1::Update>& updates) {
  RETURN_IF_ERROR(Settle());
  CoordinatorState next = state_;
  std::vector<std::string> payloads;
  for (const v1::Update& update : updates) {
    RETURN_IF_ERROR(next.Validate(update));
    std::string& payload = payloads.emplace_back(update.SerializeAsString());
    if (payload.size() > options_.max_record_bytes) {
      return absl::InvalidArgumentError(absl::StrCat("a journal record of ", payload.size(),
                                                     " bytes is above the bound of ",
                                                     options_.max_record_bytes));
    }
    next.Apply(update);
  }
  if (absl::Status status = store_->Append(last_sequence_ + 1, payloads); !status.ok()) {
    unsettled_ = true;
    return Annotate(status, "journal: nothing was applied");
  }
  state_ = std::move(next);
  last_sequence_ += payloads.size();
  MaybeSnapshot();
  return absl::OkStatus();
}

void Journal::MaybeSnapshot() {
  if (last_sequence_ - snapshot_attempt_ < options_.snapshot_every_records) return;
  // Also after a failure the next attempt waits for as many records again.
  snapshot_attempt_ = last_sequence_;
  if (!TakeSnapshot().ok()) ++failed_snapshots_;
}

absl::Status Journal::TakeSnapshot() {
  v1::Snapshot snapshot;
  snapshot.set_last_sequence(last_sequence_);
  for (v1::Update& update : state_.Compact()) *snapshot.add_updates() = std::move(update);
  RETURN_IF_ERROR(store_->PutSnapshot({last_sequence_, snapshot.SerializeAsString()}));
  return store_->TruncateBefore(last_sequence_ + 1);
}

}  // namespace distill
