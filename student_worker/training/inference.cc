#include "student_worker/training/inference.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "common/status/status_macros.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

constexpr size_t kBlockExamples = 500;

// Evaluation mode, in which Forward records nothing for backward, while it lives.
class EvaluationMode {
 public:
  explicit EvaluationMode(Model& model) : model_(model), training_(model.training()) {
    model_.SetTraining(false);
  }
  ~EvaluationMode() { model_.SetTraining(training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  Model& model_;
  const bool training_;
};

// On the model's device; one without parameters is on the host.
absl::StatusOr<at::Tensor> ToDevice(const Model& model, const TensorView& examples) {
  ASSIGN_OR_RETURN(at::Tensor tensor, CopyToTensor(examples));
  const std::vector<at::Tensor> parameters = model.Parameters();
  if (parameters.empty()) return tensor;
  RETURN_IF_ERROR(CallTorch("moving examples to the model's device",
                            [&] { tensor = tensor.to(parameters.front().device()); }));
  return tensor;
}

}  // namespace

absl::StatusOr<TensorView> ComputeLogits(Model& model, const DataSet& data, v1::Split split,
                                         std::span<const uint64_t> ids) {
  const EvaluationMode mode(model);
  const int64_t classes = model.plan().classes;
  std::vector<float> logits;
  logits.reserve(ids.size() * static_cast<size_t>(classes));
  for (size_t begin = 0; begin < ids.size(); begin += kBlockExamples) {
    const auto block = ids.subspan(begin, std::min(kBlockExamples, ids.size() - begin));
    ASSIGN_OR_RETURN(const TensorView views, data.Examples(split, block, {}, {}));
    ASSIGN_OR_RETURN(const at::Tensor examples, ToDevice(model, views));
    ASSIGN_OR_RETURN(const at::Tensor outputs, model.Forward(examples));
    ASSIGN_OR_RETURN(const TensorView block_logits, CopyToView(outputs));
    const std::span<const float> values = block_logits.as<float>();
    logits.insert(logits.end(), values.begin(), values.end());
  }
  return MakeTensorView(ElementType::kFloat32, {static_cast<int64_t>(ids.size()), classes},
                        std::move(logits));
}

std::vector<int32_t> Argmax(const TensorView& logits) {
  ABSL_RAW_CHECK(logits.dims.size() == 2 && logits.dims[1] > 0, "logits are not [n, classes]");
  const std::span<const float> values = logits.as<float>();
  const auto classes = static_cast<size_t>(logits.dims[1]);
  std::vector<int32_t> predictions;
  predictions.reserve(values.size() / classes);
  for (size_t begin = 0; begin < values.size(); begin += classes) {
    const auto row = values.subspan(begin, classes);
    predictions.push_back(
        static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return predictions;
}

double Accuracy(std::span<const int32_t> predictions, std::span<const int32_t> labels) {
  ABSL_RAW_CHECK(predictions.size() == labels.size(), "as many predictions as labels");
  int64_t labelled = 0;
  int64_t right = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    ++labelled;
    if (predictions[i] == labels[i]) ++right;
  }
  return labelled == 0 ? 0 : static_cast<double>(right) / static_cast<double>(labelled);
}

double Agreement(std::span<const int32_t> a, std::span<const int32_t> b) {
  ABSL_RAW_CHECK(a.size() == b.size(), "predictions for the same examples");
  if (a.empty()) return 0;
  int64_t equal = 0;
  for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(a.size());
}

absl::StatusOr<absl::Duration> MedianLatency(Model& model, const TensorView& examples, int warm_up,
                                             int passes, Clock& clock) {
  ABSL_RAW_CHECK(passes > 0, "at least one pass");
  const EvaluationMode mode(model);
  ASSIGN_OR_RETURN(const at::Tensor input, ToDevice(model, examples));
  for (int i = 0; i < warm_up; ++i) RETURN_IF_ERROR(model.Forward(input).status());
  std::vector<absl::Duration> times;
  for (int i = 0; i < passes; ++i) {
    const absl::Duration start = clock.MonotonicNow();
    RETURN_IF_ERROR(model.Forward(input).status());
    times.push_back(clock.MonotonicNow() - start);
  }
  std::sort(times.begin(), times.end());
  const size_t half = times.size() / 2;
  return times.size() % 2 == 1 ? times[half] : (times[half - 1] + times[half]) / 2;
}

}  // namespace distill
