#include "cli/plan_file/plan_file.h"

#include <array>

#include "common/config/config_reader.h"
#include "common/config/position_map.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/models/architecture.h"
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
  constexpr std::array<int64_t, 2> kProbe = {64, 64};
  return PlanModel(model, kProbe, /*classes=*/2).status();
}

absl::StatusOr<v1::PlanConfig> ResolveAndCheck(v1::PlanConfig plan, const PositionMap& positions) {
  plan = ResolvePlan(std::move(plan));
  RETURN_IF_ERROR(ProblemsToStatus(FindPlanProblems(plan, {CheckModel, CodecNames()}), positions));
  return plan;
}

}  // namespace

absl::StatusOr<v1::PlanConfig> ReadPlan(FileSystem& files, const std::string& path,
                                        const std::vector<std::string>& settings,
                                        std::optional<uint64_t> seed) {
  ASSIGN_OR_RETURN(const std::string text, files.Read(path, kMaxPlanBytes));
  v1::PlanConfig plan;
  PositionMap positions;
  RETURN_IF_ERROR(ParseConfig(text, path, &plan, &positions));
  for (const std::string& setting : settings) {
    RETURN_IF_ERROR(ApplySetting(setting, &plan, &positions));
  }
  if (seed.has_value()) plan.set_seed(*seed);
  for (v1::DataSetConfig& data_set : *plan.mutable_data_sets()) {
    MakePathsAbsolute(ParentDirectory(path), data_set);
  }
  return ResolveAndCheck(std::move(plan), positions);
}

absl::StatusOr<v1::PlanConfig> ResolveAndCheckPlan(const v1::PlanConfig& plan) {
  return ResolveAndCheck(plan, PositionMap());
}

}  // namespace distill
