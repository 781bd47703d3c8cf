#include "student_worker/worker/diverged_batch.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/safetensors/safetensors.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/soft_labels.h"
#include "distillation/labels/sparse_labels.h"
#include "distillation/order/run_examples.h"

namespace distill {
namespace {

// Nothing where there are no values.
template <typename T>
void Add(const std::string& name, ElementType type, std::vector<int64_t> dims,
         const std::vector<T>& values, Safetensors* batch) {
  if (!values.empty()) batch->tensors[name] = MakeTensorView(type, std::move(dims), values);
}

void AddLabels(const std::string& name, const SoftLabels& labels, Safetensors* batch) {
  if (const auto* dense = std::get_if<TensorView>(&labels)) {
    batch->tensors[name] = *dense;
  } else if (const auto* hidden = std::get_if<HiddenLabels>(&labels)) {
    batch->tensors[name + ".hidden"] = hidden->hidden;
  } else {
    const SparseLabels& sparse = *std::get<std::shared_ptr<const SparseLabels>>(labels);
    const std::vector<int64_t> wide = {sparse.rows, sparse.width};
    Add(name + ".ids", ElementType::kInt64, wide, sparse.ids, batch);
    Add(name + ".values", ElementType::kFloat32, wide, sparse.values, batch);
    Add(name + ".weights", ElementType::kFloat32, wide, sparse.weights, batch);
    Add(name + ".shift", ElementType::kFloat32, {sparse.rows}, sparse.shift, batch);
    Add(name + ".tail", ElementType::kFloat64, {sparse.rows, sparse.tail_nodes}, sparse.tail,
        batch);
  }
}

void AddMetadata(const v1::World& world, const DivergedStep& diverged, Safetensors* batch) {
  const StepValues& values = diverged.values;
  batch->metadata = {{"run", world.run_id()},
                     {"step", absl::StrCat(diverged.step)},
                     {"seed", absl::StrCat(world.seed())},
                     {"temperature", absl::StrCat(values.temperature)},
                     {"soft_weight", absl::StrCat(values.soft_weight)},
                     {"hard_weight", absl::StrCat(values.hard_weight)},
                     {"learning_rate", absl::StrCat(values.learning_rate)}};
  for (const auto& [term, weight] : values.term_weights) {
    batch->metadata["weight." + term] = absl::StrCat(weight);
  }
  for (const v1::TeacherFleet& teacher : world.teachers()) {
    batch->metadata["teacher." + teacher.role()] = teacher.fingerprint();
  }
}

}  // namespace

bool IsDivergence(const absl::Status& status) {
  const auto id = ErrorIdOf(status);
  return id == ErrorId::kLossNotFinite || id == ErrorId::kGradientNotFinite;
}

absl::Status WriteDivergedBatch(FileSystem& files, const std::string& path, const v1::World& world,
                                const v1::RunConfig& run, const DataSet& data,
                                const DivergedStep& diverged) {
  ASSIGN_OR_RETURN(const RunExamples examples,
                   ExamplesOfRun(run, data.labels(v1::TRAIN), data.classes(), world.seed()));
  std::vector<uint64_t> ids;
  std::vector<uint64_t> seeds;
  std::vector<int64_t> hard_labels;
  for (const ExampleView& example : diverged.slice) {
    ids.push_back(example.example_id);
    seeds.push_back(example.view_seed);
    hard_labels.push_back(examples.labels[example.example_id]);
  }
  Safetensors batch;
  ASSIGN_OR_RETURN(batch.tensors["inputs"], data.Examples(v1::TRAIN, ids, seeds, run.view()));
  const std::vector<int64_t> rows = {static_cast<int64_t>(ids.size())};
  Add("ids", ElementType::kInt64, rows, std::vector<int64_t>(ids.begin(), ids.end()), &batch);
  Add("view_seeds", ElementType::kInt64, rows, std::vector<int64_t>(seeds.begin(), seeds.end()),
      &batch);
  Add("hard_labels", ElementType::kInt64, rows, hard_labels, &batch);
  for (const auto& [key, its] : diverged.labels) {
    AddLabels(absl::StrCat("labels.", key.first, ".", key.second), its, &batch);
  }
  AddMetadata(world, diverged, &batch);
  return WriteSafetensors(files, path, batch);
}

}  // namespace distill
