#include "cli/report/verdicts.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/report/label_traffic.h"
#include "student_worker/accounting/run_accounting.h"
#include "student_worker/accounting/verdict.h"

namespace distill {
namespace {

std::string VerdictOf(FileSystem& files, const std::string& folder, const v1::PlanConfig& plan,
                      const v1::RunConfig& run) {
  RunAccounting sum;
  for (uint32_t rank = 0; rank < run.training().world_size(); ++rank) {
    const absl::Status status =
        AddSteps(files, JoinPath(folder, absl::StrCat("metrics.rank", rank, ".jsonl")), sum);
    if (status.ok() || absl::IsNotFound(status)) continue;
    return absl::StrCat("not known what bounds it: ", std::string(status.message()));
  }
  return Judge(sum, TrafficOf(plan, run)).sentence;
}

}  // namespace

void AddVerdicts(FileSystem& files, const std::string& run_dir, const v1::PlanConfig& plan,
                 v1::Report& report) {
  for (const v1::RunConfig& run : plan.runs()) {
    if (run.export_only()) continue;  // nothing was trained
    const auto it = report.mutable_models()->find(run.name());
    if (it == report.mutable_models()->end()) continue;
    it->second.set_verdict(VerdictOf(files, JoinPath(run_dir, run.name()), plan, run));
  }
}

}  // namespace distill
