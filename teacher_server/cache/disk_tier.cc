#include "teacher_server/cache/disk_tier.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"

namespace distill {

struct DiskTier::State {
  // Of the executor.
  std::unique_ptr<SegmentLog> log;
  int failures = 0;
  std::function<void(const absl::Status&)> on_error;

  std::atomic<bool> ready = false;
  std::atomic<bool> failed = false;
  std::atomic<int> pending_finds = 0;
  std::atomic<uint64_t> pending_bytes = 0;
  std::atomic<uint64_t> hits = 0;
  std::atomic<uint64_t> misses = 0;
  std::atomic<uint64_t> dropped = 0;
  // The log's, after each of its calls.
  std::atomic<uint64_t> evictions = 0;
  std::atomic<uint64_t> damaged = 0;
  std::atomic<uint64_t> bytes = 0;

  void TakeFigures() {
    evictions = log->evictions();
    damaged = log->damaged();
    bytes = log->bytes();
  }

  void Open(FileSystem* files, const DiskTierOptions& options) {
    auto opened = SegmentLog::Open(files, options.directory, options.log);
    if (!opened.ok()) {
      failed = true;
      if (on_error) on_error(opened.status());
      return;
    }
    log = *std::move(opened);
    TakeFigures();
    ready = true;
  }

  std::vector<LabelRow> Find(const std::vector<LabelKey>& keys) {
    std::vector<LabelRow> rows = log->Find(keys);
    for (const LabelRow& row : rows) ++(row != nullptr ? hits : misses);
    TakeFigures();
    return rows;
  }

  void Add(const std::vector<KeyedRow>& rows) {
    if (log == nullptr || failed) {
      dropped += rows.size();
      return;
    }
    const absl::Status status = log->Add(rows);
    TakeFigures();
    failures = status.ok() ? 0 : failures + 1;
    if (status.ok()) return;
    dropped += rows.size();
    if (failures >= kMaxFailures) failed = true;
    if (on_error) on_error(status);
  }
};

DiskTier::DiskTier(FileSystem* files, const DiskTierOptions& options, Executor* executor,
                   std::function<void(const absl::Status&)> on_error)
    : options_(options), executor_(executor), state_(std::make_shared<State>()) {
  state_->on_error = std::move(on_error);
  const absl::Status posted =
      executor_->Schedule([state = state_, files, options] { state->Open(files, options); });
  if (posted.ok()) return;
  state_->failed = true;
  if (state_->on_error) state_->on_error(posted);
}

bool DiskTier::ready() const { return state_->ready; }

absl::Status DiskTier::Find(std::vector<LabelKey> keys,
                            absl::AnyInvocable<void(std::vector<LabelRow>)> done) {
  if (!state_->ready) return absl::UnavailableError("the label cache on disk is not open");
  if (state_->pending_finds >= options_.max_pending_finds) {
    return absl::ResourceExhaustedError(absl::StrCat(
        state_->pending_finds.load(), " searches of the label cache on disk wait already"));
  }
  ++state_->pending_finds;
  const absl::Status posted = executor_->Schedule(
      [state = state_, keys = std::move(keys), done = std::move(done)]() mutable {
        --state->pending_finds;
        done(state->Find(keys));
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
    posted = executor_->Schedule([state = state_, rows = std::move(rows), bytes] {
      state->Add(rows);
      state->pending_bytes -= bytes;
    });
  }
  if (posted.ok()) return;
  state_->pending_bytes -= bytes;
  state_->dropped += number;
}

void DiskTier::Flush() {
  // A full or stopped executor: a cache may lose its last rows.
  executor_
      ->Schedule([state = state_] {
        if (state->log == nullptr) return;
        const absl::Status status = state->log->Flush();
        if (!status.ok() && state->on_error) state->on_error(status);
      })
      .IgnoreError();
}

TierStats DiskTier::stats() const {
  TierStats stats;
  stats.hits = state_->hits;
  stats.misses = state_->misses;
  stats.evictions = state_->evictions;
  stats.damaged = state_->damaged;
  stats.dropped = state_->dropped;
  stats.bytes = state_->bytes;
  return stats;
}

}  // namespace distill
