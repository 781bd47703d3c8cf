#include "cli/report/live_verdict.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/report/label_traffic.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/verdict.h"

namespace distill {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(5);
// While files are not read to their end.
constexpr absl::Duration kEveryBehind = absl::Milliseconds(500);
constexpr uint64_t kMostBytes = uint64_t{8} << 20;

std::string MiB(uint64_t bytes) { return absl::StrCat((bytes >> 20) + 1, " MiB"); }

void Add(const RunAccounting& more, RunAccounting& sum) {
  sum.steps += more.steps;
  for (int phase = 0; phase < kPhases; ++phase) sum.phases[phase] += more.phases[phase];
  sum.wall += more.wall;
  sum.answers += more.answers;
}

}  // namespace

LiveVerdict::LiveVerdict(FileSystem* files, Clock* clock, std::string run_dir, v1::PlanConfig plan)
    : files_(files), clock_(clock), run_dir_(std::move(run_dir)), plan_(std::move(plan)) {}

absl::StatusOr<uint64_t> LiveVerdict::ReadMore(Rank& rank, uint64_t max_bytes) {
  const auto add = [&rank](const std::string& line) {
    if (rank.begun) AddStep(line, rank.sum);
    rank.begun = true;
  };
  return rank.file.Read(add, max_bytes, [&rank] {
    rank.begun = false;
    rank.sum = RunAccounting();
  });
}

std::string LiveVerdict::Judged(const v1::RunConfig& run) {
  Account& ranks = accounts_[run.name()];
  if (ranks.empty()) {
    const std::string folder = JoinPath(run_dir_, run.name());
    for (uint32_t rank = 0; rank < run.training().world_size(); ++rank) {
      const std::string name = absl::StrCat("metrics.rank", rank, ".jsonl");
      ranks.push_back({FileTail(files_, JoinPath(folder, name)), false, {}});
    }
  }
  behind_ = false;
  uint64_t left = 0;
  RunAccounting sum;
  for (Rank& rank : ranks) {
    // To each its share, so that none is behind for the others.
    const auto more = ReadMore(rank, std::max<uint64_t>(1, kMostBytes / ranks.size()));
    // What cannot be read is no reason to show nothing else.
    if (!more.ok()) {
      return absl::StrCat("not known what bounds it: ", std::string(more.status().message()));
    }
    left += *more;
    Add(rank.sum, sum);
  }
  behind_ = left > 0;
  // The beginning of a run says little of how it goes now.
  if (behind_) return absl::StrCat("what bounds it: ", MiB(left), " of its steps still to be read");
  return sum.steps == 0 ? "" : Judge(sum, TrafficOf(plan_, run)).sentence;
}

std::string LiveVerdict::Of(const v1::PlanStatus& status) {
  const absl::Duration now = clock_->MonotonicNow();
  for (const v1::RunStatus& run : status.runs()) {
    if (run.state() != v1::RunStatus::ACTIVE) continue;
    if (run.run_id() == run_ && now < holds_until_) return sentence_;
    for (const v1::RunConfig& config : plan_.runs()) {
      if (config.name() != run.run_id()) continue;
      run_ = config.name();
      const std::string verdict = Judged(config);
      holds_until_ = now + (behind_ ? kEveryBehind : kEvery);
      sentence_ = verdict.empty() ? "" : absl::StrCat(config.name(), ": ", verdict);
      return sentence_;
    }
  }
  return "";
}

}  // namespace distill
