#include "cli/report/live_verdict.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/report/label_traffic.h"
#include "student_worker/accounting/verdict.h"

namespace distill {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(5);

}  // namespace

LiveVerdict::LiveVerdict(FileSystem* files, Clock* clock, std::string run_dir, v1::PlanConfig plan)
    : files_(files), clock_(clock), run_dir_(std::move(run_dir)), plan_(std::move(plan)) {}

std::string LiveVerdict::Judged(const v1::RunConfig& run) {
  Account& account = accounts_[run.name()];
  if (account.ranks.empty()) {
    const std::string folder = JoinPath(run_dir_, run.name());
    for (uint32_t rank = 0; rank < run.training().world_size(); ++rank) {
      account.ranks.emplace_back(files_,
                                 JoinPath(folder, absl::StrCat("metrics.rank", rank, ".jsonl")));
    }
    account.begun.resize(account.ranks.size());
  }
  for (size_t rank = 0; rank < account.ranks.size(); ++rank) {
    const absl::Status read = account.ranks[rank].Read([&](const std::string& line) {
      if (account.begun[rank]) AddStep(line, account.sum);
      account.begun[rank] = true;
    });
    // What cannot be read is no reason to show nothing else.
    if (!read.ok()) return absl::StrCat("not known what bounds it: ", std::string(read.message()));
  }
  return account.sum.steps == 0 ? "" : Judge(account.sum, TrafficOf(plan_, run)).sentence;
}

std::string LiveVerdict::Of(const v1::PlanStatus& status) {
  const absl::Duration now = clock_->MonotonicNow();
  for (const v1::RunStatus& run : status.runs()) {
    if (run.state() != v1::RunStatus::ACTIVE) continue;
    if (run.run_id() == run_ && now < holds_until_) return sentence_;
    for (const v1::RunConfig& config : plan_.runs()) {
      if (config.name() != run.run_id()) continue;
      run_ = config.name();
      holds_until_ = now + kEvery;
      const std::string verdict = Judged(config);
      sentence_ = verdict.empty() ? "" : absl::StrCat(config.name(), ": ", verdict);
      return sentence_;
    }
  }
  return "";
}

}  // namespace distill
