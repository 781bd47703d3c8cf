#include "student_worker/evaluation/finished_plan.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/export/export.h"
#include "distillation/run_config/plan_defaults.h"

namespace distill {
namespace {

constexpr int kPixels = 3;
constexpr int kClasses = 3;

void WriteIdx(FileSystem& files, const std::string& path, const std::vector<uint8_t>& dims,
              const std::vector<uint8_t>& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (const uint8_t dim : dims) {
    bytes.append(3, '\0');
    bytes.push_back(static_cast<char>(dim));
  }
  bytes.append(values.begin(), values.end());
  ABSL_RAW_CHECK(files.Write(path, bytes).ok(), "data file not written");
}

v1::DataSetConfig WriteData(FileSystem& files, const std::string& folder) {
  ABSL_RAW_CHECK(files.MakeDirectories(folder).ok(), "no folder for the data");
  v1::DataSetConfig data;
  data.set_name("pixels");
  data.set_classes(kClasses);
  data.set_validation_examples(2);
  const auto file = [&](const std::string& name) { return JoinPath(folder, name); };
  data.mutable_idx()->mutable_train_images()->set_path(file("train_images"));
  data.mutable_idx()->mutable_train_labels()->set_path(file("train_labels"));
  data.mutable_idx()->mutable_test_images()->set_path(file("test_images"));
  data.mutable_idx()->mutable_test_labels()->set_path(file("test_labels"));
  WriteIdx(files, file("train_images"), {4, 1, kPixels}, {1, 2, 3, 4, 5, 6, 255, 0, 0, 0, 0, 51});
  WriteIdx(files, file("train_labels"), {4}, {2, 2, 0, 2});
  WriteIdx(files, file("test_images"), {4, 1, kPixels}, {90, 0, 9, 0, 80, 9, 0, 9, 70, 60, 9, 0});
  WriteIdx(files, file("test_labels"), {4}, {0, 1, 1, 2});
  return data;
}

v1::RunConfig Run(const std::string& name) {
  v1::RunConfig run;
  run.set_name(name);
  run.set_data_set("pixels");
  run.mutable_model()->set_architecture("mlp");
  v1::Schedule::Piece* rate = run.mutable_schedules()->mutable_learning_rate()->add_pieces();
  rate->set_end_step(6);
  rate->mutable_constant()->set_value(0.1);
  run.mutable_training()->set_steps(7);
  run.mutable_training()->set_global_batch_size(1);
  return run;
}

// `logits` are those of the validation split.
void WriteModel(FileSystem& files, const std::string& run_dir, const v1::RunConfig& run,
                std::vector<float> weight, std::vector<float> bias, std::vector<float> logits) {
  v1::ExportManifest manifest;
  *manifest.mutable_model() = run.model();
  manifest.add_example_dims(1);
  manifest.add_example_dims(kPixels);
  manifest.set_classes(kClasses);
  manifest.set_scale(255);
  manifest.set_deviation(1);
  manifest.set_steps(run.training().steps());
  const std::map<std::string, TensorView> tensors = {
      {"linear.weight",
       MakeTensorView(ElementType::kFloat32, {kClasses, kPixels}, std::move(weight))},
      {"linear.bias", MakeTensorView(ElementType::kFloat32, {kClasses}, std::move(bias))}};
  const ExportCheck check = {
      MakeTensorView(ElementType::kInt64, {2}, std::vector<int64_t>{1, 0}),
      MakeTensorView(ElementType::kFloat32, {2, kClasses}, std::move(logits))};
  const std::string folder = JoinPath(JoinPath(run_dir, run.name()), "export");
  ABSL_RAW_CHECK(WriteExport(files, folder, manifest, tensors, check).ok(), "export not written");
}

}  // namespace

v1::PlanConfig WriteFinishedPlan(FileSystem& files, const std::string& folder) {
  v1::PlanConfig plan;
  plan.set_name("toy");
  plan.set_seed(11);
  *plan.add_data_sets() = WriteData(files, JoinPath(folder, "data"));
  *plan.add_runs() = Run("teacher");
  *plan.add_runs() = Run("student");
  v1::TeacherConfig* asked = plan.mutable_runs(1)->add_teachers();
  asked->set_role("t");
  asked->set_run("teacher");
  v1::TermConfig::SoftKl* soft = plan.mutable_runs(1)->add_objective()->mutable_soft_kl();
  soft->set_teacher("t");
  soft->set_output("logits");
  plan = ResolvePlan(std::move(plan));

  const std::string runs = JoinPath(folder, "runs");
  // The second validation image is 0, 0, 51 of 255. The student's record is a little off.
  WriteModel(files, runs, plan.runs(0), {1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0},
             {0, 0, 0.2f, 1, 0, 0});
  WriteModel(files, runs, plan.runs(1), {0, 0, 0, 0, 0, 0, 0, 0, 0}, {1, 0.5f, 0.25f},
             {1, 0.5f, 0.25f, 1.0f + 0x1p-15f, 0.5f, 0.25f});
  return plan;
}

}  // namespace distill
