#include "teacher_server/cache/disk_tier.h"

#include <atomic>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/annotate.h"

namespace distill {

struct DiskTier::State {
  // Goes last.
  std::shared_ptr<const void> needed;
  // Made by `writes` before `opened`.
  std::unique_ptr<SegmentLog> log;
  // Of `writes`.
  int failures = 0;
  // Calls of Clear that have been followed, well or not.
  uint64_t tried = 0;
  std::function<void(const absl::Status&)> on_error;
  // Held, shared, while somebody is told.
  absl::Mutex telling;
  bool abandoned ABSL_GUARDED_BY(telling) = false;

  std::atomic<bool> opened = false;
  std::atomic<bool> failed = false;
  // Calls of Clear, and how many of them are done.
  std::atomic<uint64_t> clears = 0;
  std::atomic<uint64_t> cleared = 0;
  std::atomic<int> pending_finds = 0;
  std::atomic<uint64_t> pending_bytes = 0;
  std::atomic<uint64_t> hits = 0;
  std::atomic<uint64_t> misses = 0;
  std::atomic<uint64_t> dropped = 0;

  void TellError(const absl::Status& status) ABSL_LOCKS_EXCLUDED(telling) {
    absl::ReaderMutexLock lock(&telling);
    if (on_error && !abandoned) on_error(status);
  }

  void Open(FileSystem* files, const DiskTierOptions& options) {
    auto log_there = SegmentLog::Open(files, options.directory, options.log);
    if (!log_there.ok()) {
      failed = true;
      TellError(log_there.status());
      return;
    }
    log = *std::move(log_there);
    opened = true;
  }

  bool Ready() const { return opened && cleared == clears; }

  // First of whatever runs next on `writes`, since a full executor takes no closure for it.
  void ClearWhereAsked() {
    const uint64_t asked = clears;
    if (log == nullptr || tried == asked) return;
    tried = asked;
    const absl::Status status = log->Clear();
    if (status.ok()) {
      cleared = asked;
      return;
    }
    failed = true;
    TellError(Annotate(status,
                       "rows that may be wrong could not be deleted; delete the directory before "
                       "the server starts again"));
  }

  std::vector<LabelRow> Find(const std::vector<LabelKey>& keys) {
    std::vector<LabelRow> rows = log->Find(keys);
    for (const LabelRow& row : rows) ++(row != nullptr ? hits : misses);
    return rows;
  }

  // Rows that were given when Clear had been called so often.
  void Add(const std::vector<KeyedRow>& rows, uint64_t given) {
    ClearWhereAsked();
    if (log == nullptr || failed || given != clears) {
      dropped += rows.size();
      return;
    }
    const absl::Status status = log->Add(rows);
    failures = status.ok() ? 0 : failures + 1;
    if (status.ok()) return;
    dropped += rows.size();
    if (failures >= kMaxFailures) failed = true;
    TellError(status);
  }
};

DiskTier::DiskTier(FileSystem* files, const DiskTierOptions& options, Executor* reads,
                   Executor* writes, std::function<void(const absl::Status&)> on_error)
    : options_(options), reads_(reads), writes_(writes), state_(std::make_shared<State>()) {
  state_->on_error = std::move(on_error);
  const absl::Status posted =
      writes_->Schedule([state = state_, files, options] { state->Open(files, options); });
  if (posted.ok()) return;
  state_->failed = true;
  state_->TellError(posted);
}

bool DiskTier::ready() const { return state_->Ready(); }

absl::Status DiskTier::Find(std::vector<LabelKey> keys,
                            absl::AnyInvocable<void(std::vector<LabelRow>)> done) {
  if (!state_->Ready()) return absl::UnavailableError("the label cache on disk is not open");
  if (state_->pending_finds >= options_.max_pending_finds) {
    return absl::ResourceExhaustedError(absl::StrCat(
        state_->pending_finds.load(), " searches of the label cache on disk wait already"));
  }
  ++state_->pending_finds;
  const absl::Status posted =
      reads_->Schedule([state = state_, keys = std::move(keys), done = std::move(done)]() mutable {
        std::vector<LabelRow> rows = state->Find(keys);
        --state->pending_finds;
        absl::ReaderMutexLock lock(&state->telling);
        if (!state->abandoned) done(std::move(rows));
      });
  if (!posted.ok()) --state_->pending_finds;
  return posted;
}

void DiskTier::Add(std::vector<KeyedRow> rows) {
  if (rows.empty()) return;
  const size_t number = rows.size();
  uint64_t bytes = 0;
  for (const KeyedRow& row : rows) bytes += row.row->size() * sizeof(float);
  // One addition is always allowed to wait.
  const uint64_t before = state_->pending_bytes.fetch_add(bytes);
  absl::Status posted = absl::ResourceExhaustedError("too much waits to be written");
  if (!state_->failed && (before == 0 || before + bytes <= options_.max_pending_bytes)) {
    posted = writes_->Schedule(
        [state = state_, rows = std::move(rows), bytes, given = state_->clears.load()] {
          state->Add(rows, given);
          state->pending_bytes -= bytes;
        });
  }
  if (posted.ok()) return;
  state_->pending_bytes -= bytes;
  state_->dropped += number;
}

void DiskTier::Clear() {
  ++state_->clears;
  // A full executor: what waits there does it first.
  writes_->Schedule([state = state_] { state->ClearWhereAsked(); }).IgnoreError();
}

void DiskTier::Flush() {
  // A full or stopped executor: a cache may lose its last rows.
  writes_
      ->Schedule([state = state_] {
        if (state->log == nullptr) return;
        state->ClearWhereAsked();
        const absl::Status status = state->log->Flush();
        if (!status.ok()) state->TellError(status);
      })
      .IgnoreError();
}

void DiskTier::Abandon(std::shared_ptr<const void> needed) {
  absl::MutexLock lock(&state_->telling);
  state_->abandoned = true;
  state_->needed = std::move(needed);
}

TierStats DiskTier::stats() const {
  TierStats stats;
  stats.hits = state_->hits;
  stats.misses = state_->misses;
  stats.dropped = state_->dropped;
  if (!state_->opened) return stats;
  const SegmentLog::Figures figures = state_->log->figures();
  stats.evictions = figures.evictions;
  stats.damaged = figures.damaged;
  stats.bytes = figures.bytes;
  return stats;
}

}  // namespace distill
