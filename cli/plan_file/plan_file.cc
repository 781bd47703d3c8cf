#include "cli/plan_file/plan_file.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "cli/plan_file/carets.h"
#include "cli/plan_file/plan_origins.h"
#include "common/config/config_reader.h"
#include "common/config/position_map.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/models/architecture.h"
#include "distillation/models/model_file.h"
#include "distillation/run_config/plan_checks.h"
#include "distillation/run_config/plan_defaults.h"

namespace distill {
namespace {

constexpr size_t kMaxPlanBytes = size_t{1} << 20;

void MakeAbsolute(const std::string& folder, v1::ArrayFile* file) {
  if (!file->path().empty() && file->path()[0] != '/') {
    file->set_path(JoinPath(folder, file->path()));
  }
}

void MakePathsAbsolute(const std::string& folder, v1::DataSetConfig& data_set) {
  if (data_set.has_idx()) {
    v1::IdxSource* idx = data_set.mutable_idx();
    MakeAbsolute(folder, idx->mutable_train_images());
    MakeAbsolute(folder, idx->mutable_train_labels());
    MakeAbsolute(folder, idx->mutable_test_images());
    MakeAbsolute(folder, idx->mutable_test_labels());
  } else if (data_set.has_npy()) {
    v1::NpySource* npy = data_set.mutable_npy();
    MakeAbsolute(folder, npy->mutable_train_examples());
    MakeAbsolute(folder, npy->mutable_train_labels());
    MakeAbsolute(folder, npy->mutable_test_examples());
    MakeAbsolute(folder, npy->mutable_test_labels());
  }
}

// Whether an architecture can be built at all; shapes and classes that depend on the
// data are checked against it when the data is loaded.
absl::Status CheckModel(const v1::ModelConfig& model) {
  if (IsProgram(model)) return CheckProgram(model);
  constexpr std::array<int64_t, 2> kProbe = {64, 64};
  return PlanModel(model, kProbe, /*classes=*/2).status();
}

absl::StatusOr<v1::PlanConfig> ResolveAndCheck(v1::PlanConfig plan, const PositionMap& positions) {
  plan = ResolvePlan(std::move(plan));
  RETURN_IF_ERROR(
      ProblemsToStatus(FindPlanProblems(plan, {CheckModel, ServedCodecNames()}), positions));
  return plan;
}

}  // namespace

absl::StatusOr<v1::PlanConfig> ReadPlan(FileSystem& files, const std::string& path,
                                        const std::vector<std::string>& settings,
                                        std::optional<uint64_t> seed,
                                        const std::string& working_directory) {
  ASSIGN_OR_RETURN(PlanWithOrigins read,
                   ReadPlanWithOrigins(files, path, settings, seed, working_directory));
  return std::move(read.plan);
}

absl::StatusOr<PlanWithOrigins> ReadPlanWithOrigins(FileSystem& files, const std::string& path,
                                                    const std::vector<std::string>& settings,
                                                    std::optional<uint64_t> seed,
                                                    const std::string& working_directory) {
  const auto text = files.Read(path, kMaxPlanBytes);
  if (!text.ok()) {
    return WithErrorId(
        absl::Status(text.status().code(),
                     absl::StrCat("cannot read the plan ", std::string(text.status().message()),
                                  "; check the path")),
        ErrorId::kPlanUnreadable);
  }
  // Each problem with the line it is about.
  const auto shown = [&](const absl::Status& status) {
    // The id is that of the first problem, and stands behind it.
    std::string problems(status.message());
    if (const auto id = ErrorIdOf(status); id.has_value()) {
      problems.insert(std::min(problems.find('\n'), problems.size()), TextWithId("", *id));
    }
    return Reworded(status, status.code(), WithCarets(problems, path, *text));
  };
  v1::PlanConfig plan;
  PositionMap positions;
  if (const absl::Status status = ParseConfig(*text, path, &plan, &positions); !status.ok()) {
    return shown(status);
  }
  for (const std::string& setting : settings) {
    RETURN_IF_ERROR(ApplySetting(setting, &plan, &positions));
  }
  if (seed.has_value()) {
    plan.set_seed(*seed);
    positions.Set("seed", {"--seed", 0, 0});
  }
  const bool relative = !working_directory.empty() && path.rfind('/', 0) != 0;
  const std::string folder = ParentDirectory(relative ? JoinPath(working_directory, path) : path);
  for (v1::DataSetConfig& data_set : *plan.mutable_data_sets()) {
    MakePathsAbsolute(folder, data_set);
  }
  for (v1::RunConfig& run : *plan.mutable_runs()) {
    for (v1::TeacherConfig& teacher : *run.mutable_teachers()) {
      const std::string& set = teacher.recorded_labels();
      if (!set.empty() && set[0] != '/') teacher.set_recorded_labels(JoinPath(folder, set));
    }
  }
  PlanWithOrigins read;
  auto resolved = ResolveAndCheck(plan, positions);
  if (!resolved.ok()) return shown(resolved.status());
  read.plan = *std::move(resolved);
  read.origins = std::move(positions);
  NoteReplacedZeros(plan, read.plan, &read.origins);
  return read;
}

absl::StatusOr<v1::PlanConfig> ResolveAndCheckPlan(const v1::PlanConfig& plan) {
  return ResolveAndCheck(plan, PositionMap());
}

}  // namespace distill
