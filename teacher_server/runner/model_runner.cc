#include "teacher_server/runner/model_runner.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <torch/version.h>

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"
#include "distillation/models/architecture.h"
#include "distillation/models/model.h"
#include "distillation/models/threads.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

// A view that shares the tensor's memory.
TensorView Share(at::Tensor tensor) {
  auto owner = std::make_shared<at::Tensor>(std::move(tensor));
  TensorView view;
  view.type = ElementType::kFloat32;
  view.dims.assign(owner->sizes().begin(), owner->sizes().end());
  view.bytes = std::as_bytes(
      std::span<const float>(owner->const_data_ptr<float>(), static_cast<size_t>(owner->numel())));
  view.owner = owner;
  return view;
}

absl::Status CheckFinite(const std::string& output, const at::Tensor& values) {
  if (at::isfinite(values).all().item<bool>()) return absl::OkStatus();
  for (int64_t row = 0; row < values.size(0); ++row) {
    if (at::isfinite(values[row]).all().item<bool>()) continue;
    return absl::DataLossError(absl::StrCat(
        "the teacher gave a value of ", output, " that is not finite for row ", row, " of ",
        values.size(0), "; check its weights and the preprocessing of that example"));
  }
  return absl::OkStatus();
}

// The last layer, whose tensors are the last two.
std::shared_ptr<const LabelHead> HeadOf(const Model& model) {
  if (model.plan().layers.empty()) return nullptr;
  const std::vector<at::Tensor> parameters = model.Parameters();
  const LayerSpec& last = model.plan().layers.back();
  if (last.kind != LayerSpec::Kind::kLinear || last.relu || !last.bias) return nullptr;
  const auto host = [](const at::Tensor& tensor) {
    return Share(tensor.detach().to(at::kCPU).contiguous());
  };
  return std::make_shared<const LabelHead>(
      LabelHead{host(parameters[parameters.size() - 2]), host(parameters.back())});
}

class ModelRunner final : public Runner {
 public:
  ModelRunner(std::unique_ptr<Model> model, ModelRunnerOptions options, Executor* executor,
              Clock* clock)
      : model_(std::move(model)),
        max_in_flight_(options.max_in_flight),
        executor_(executor),
        clock_(clock) {
    description_.fingerprint = std::move(options.fingerprint);
    description_.numerics_class = NumericsClass();
    description_.example_dims = std::move(options.example_dims);
    description_.classes = options.classes;
    description_.outputs = model_->OutputNames();
    description_.head = HeadOf(*model_);
    model_->SetTraining(false);
  }

  ~ModelRunner() override {
    absl::MutexLock lock(&mu_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return unfinished_ == 0; };
    mu_.Await(absl::Condition(&idle));
  }

  const ModelDescription& description() const override { return description_; }
  int max_in_flight() const override { return max_in_flight_; }

  void Start(InferenceBatch batch, Done done) override {
    if (absl::Status status = Admit(batch); !status.ok()) return done(std::move(status));
    // Shared, since a refused closure is destroyed and `done` must still be called.
    auto shared_done = std::make_shared<Done>(std::move(done));
    const absl::Duration started = clock_->MonotonicNow();
    absl::Status scheduled =
        executor_->Schedule([this, started, batch = std::move(batch), shared_done] {
          Finish(Compute(batch, started), *shared_done);
        });
    if (!scheduled.ok()) Finish(std::move(scheduled), *shared_done);
  }

 private:
  // Checks the batch and takes a place for it.
  absl::Status Admit(const InferenceBatch& batch) {
    const std::vector<int64_t>& dims = batch.examples.dims;
    if (dims.size() != description_.example_dims.size() + 1 ||
        !std::equal(dims.begin() + 1, dims.end(), description_.example_dims.begin())) {
      return absl::InvalidArgumentError(
          "the examples have another shape than the model was exported for");
    }
    // Names go to the model as they are.
    static_assert(std::string_view(kHiddenOutput) == kHiddenStates);
    for (const std::string& output : batch.outputs) {
      const bool hidden = output == kHiddenOutput && description_.head != nullptr;
      if (hidden || std::ranges::find(description_.outputs, output) != description_.outputs.end()) {
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat("the model has no output '", output, "'; it has ",
                       absl::StrJoin(description_.outputs, ", "),
                       description_.head == nullptr ? "" : absl::StrCat(" and ", kHiddenOutput)));
    }
    absl::MutexLock lock(&mu_);
    if (in_flight_ == max_in_flight_) {
      return absl::ResourceExhaustedError("more batches were started than max_in_flight");
    }
    ++in_flight_;
    ++unfinished_;
    return absl::OkStatus();
  }

  // The place is free before `done` runs, which may start the next batch.
  void Finish(absl::StatusOr<InferenceResult> result, Done& done) {
    {
      absl::MutexLock lock(&mu_);
      --in_flight_;
    }
    done(std::move(result));
    absl::MutexLock lock(&mu_);
    --unfinished_;
  }

  absl::StatusOr<InferenceResult> Compute(const InferenceBatch& batch, absl::Duration started) {
    InferenceResult result;
    absl::Status failed;
    const absl::Duration start = clock_->MonotonicNow();
    result.waited = start - started;
    RETURN_IF_ERROR(CallTorch("inference", [&] { failed = Infer(batch, result); }));
    RETURN_IF_ERROR(failed);
    result.compute = clock_->MonotonicNow() - start;
    return result;
  }

  absl::Status Infer(const InferenceBatch& batch, InferenceResult& result) {
    const at::NoGradGuard no_grad;
    // LibTorch has no tensors over constant memory; Forward does not write to it.
    const at::Tensor examples =
        at::from_blob(const_cast<std::byte*>(batch.examples.bytes.data()), batch.examples.dims,
                      at::TensorOptions().dtype(at::kFloat));
    ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs,
                     model_->Outputs(examples, batch.outputs));
    std::map<std::string, TensorView> computed;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string& output = batch.outputs[i];
      if (!computed.contains(output)) {
        // A model of one layer has the examples themselves, which do not outlive the batch.
        at::Tensor values =
            outputs[i].is_alias_of(examples) ? outputs[i].clone() : outputs[i].contiguous();
        RETURN_IF_ERROR(CheckFinite(output, values));
        computed[output] = Share(std::move(values));
      }
      result.outputs.push_back(computed[output]);
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<Model> model_;
  const int max_in_flight_;
  Executor* const executor_;
  Clock* const clock_;
  ModelDescription description_;

  absl::Mutex mu_;
  // Started and not computed.
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  // Started and `done` not returned.
  int unfinished_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

absl::Status SetInferenceThreads(int threads) { return SetComputeThreads(threads); }

std::string NumericsClass() {
  const int threads = at::get_num_threads();
  return absl::StrCat(at::get_cpu_capability(), ", ", threads,
                      threads == 1 ? " thread" : " threads", ", LibTorch ", TORCH_VERSION,
                      ", float32");
}

std::unique_ptr<Runner> MakeModelRunner(std::unique_ptr<Model> model, ModelRunnerOptions options,
                                        Executor* executor, Clock* clock) {
  return std::make_unique<ModelRunner>(std::move(model), std::move(options), executor, clock);
}

}  // namespace distill
