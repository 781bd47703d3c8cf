#include "student_worker/training/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest/sha256.h"
#include "common/random/random.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/models/create_model.h"
#include "distillation/models/export/manifest.h"
#include "distillation/models/model.h"
#include "distillation/models/model_file.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"
#include "distillation/objectives/hidden_logits.h"
#include "distillation/objectives/objective.h"
#include "distillation/objectives/sparse_terms.h"
#include "distillation/order/run_examples.h"
#include "student_worker/training/gradient_clip.h"
#include "student_worker/training/inference.h"
#include "student_worker/training/optimizer.h"

namespace distill {
namespace {

// The stream of the initial values, apart from those of distillation/order.
constexpr uint64_t kInitialValuesStream = uint64_t{1} << 62;
// And of what a program draws in a step: dropout.
constexpr uint64_t kNoiseStream = uint64_t{1} << 63;
constexpr int64_t kExportCheckExamples = 64;
constexpr char kModelPrefix[] = "model/";
constexpr char kOptimizerPrefix[] = "optimizer/";
constexpr char kStep[] = "step";
constexpr char kProgram[] = "program";
// Parameters in one message.
constexpr size_t kMostNamed = 5;

double WeightOf(const TermInfo& term, const StepValues& values) {
  switch (term.weight) {
    case v1::TermConfig::SOFT_WEIGHT:
      return values.soft_weight;
    case v1::TermConfig::TERM_WEIGHT: {
      const auto it = values.term_weights.find(term.name);
      return it == values.term_weights.end() ? 0 : it->second;
    }
    default:
      return values.hard_weight;
  }
}

std::map<std::string, TensorView> WithPrefix(const Safetensors& part, const std::string& prefix) {
  std::map<std::string, TensorView> result;
  for (const auto& [name, tensor] : part.tensors) {
    if (name.rfind(prefix, 0) == 0) result[name.substr(prefix.size())] = tensor;
  }
  return result;
}

absl::Status CheckStep(const Safetensors& part, int64_t step) {
  const auto it = part.metadata.find(kStep);
  int64_t written = 0;
  if (it != part.metadata.end() && absl::SimpleAtoi(it->second, &written) && written == step) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("a part of the checkpoint is not of step ", step));
}

// Each of two parameters that share memory would be updated as if it were alone.
absl::Status CheckApart(const std::string& what, const std::vector<std::string>& names,
                        const std::vector<at::Tensor>& parameters) {
  struct Place {
    const char* begin;
    const char* end;
    size_t parameter;
  };
  std::vector<Place> places;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const char* const begin = static_cast<const char*>(parameters[i].const_data_ptr());
    if (parameters[i].nbytes() > 0) places.push_back({begin, begin + parameters[i].nbytes(), i});
  }
  std::ranges::sort(places, {}, &Place::begin);
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i - 1].end <= places[i].begin) continue;
    const auto [first, second] = std::minmax(places[i - 1].parameter, places[i].parameter);
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": parameters ", names[first], " and ", names[second],
                     " share memory (tied weights), and each would be updated as if it were ",
                     "alone; use the first in both places of forward, or give the second values ",
                     "of its own with .clone(), and script the module again"));
  }
  return absl::OkStatus();
}

// Of a program: an architecture always can be.
absl::Status CheckTrainable(const Model& model, const std::vector<std::string>& names) {
  if (!IsProgram(model.config())) return absl::OkStatus();
  const std::string what = absl::StrCat("model file ", ProgramFile(model.config()).file());
  const std::vector<at::Tensor> parameters = model.Parameters();
  if (parameters.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " has no parameter that asks for a gradient; script it without ",
                     "torch.jit.freeze, or take it as it is with export_only: true"));
  }
  return CheckApart(what, names, parameters);
}

class ReplicatedTrainer final : public Trainer {
 public:
  ReplicatedTrainer(const TrainerOptions& options, std::shared_ptr<const DataSet> data,
                    Collectives* collectives, PhaseClock* phases, Order order,
                    std::vector<int32_t> labels, Objective objective)
      : run_(options.run),
        data_(std::move(data)),
        collectives_(collectives),
        phases_(phases),
        order_(std::move(order)),
        objective_(std::move(objective)),
        labels_(std::move(labels)),
        noise_seed_(Mix(options.seed, kNoiseStream, 0)) {}

  absl::Status Init(const TrainerOptions& options) {
    const std::string what = absl::StrCat("model of run ", run_.name());
    auto model = CreateModel(run_.model(), data_->example_dims(), data_->classes(),
                             Mix(options.seed, kInitialValuesStream, 0), options.programs);
    if (!model.ok()) return Annotate(model.status(), what);
    model_ = *std::move(model);
    if (run_.export_only()) return absl::OkStatus();
    for (const TensorSpec& spec : model_->plan().tensors) {
      if (spec.trained) names_.push_back(spec.name);
    }
    RETURN_IF_ERROR(Annotate(CheckTrainable(*model_, names_), what));
    ASSIGN_OR_RETURN(optimizer_, Optimizer::Create(run_.training(), model_->Parameters(), names_));
    ASSIGN_OR_RETURN(reducer_, collectives_->MakeGradientReducer(model_->Parameters()));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<ExampleView>> Slice(int64_t step) override {
    return order_.Slice(step, collectives_->rank(), collectives_->size());
  }

  absl::StatusOr<StepResult> Step(int64_t step, const StepValues& values,
                                  const TeacherLabels& labels) override {
    absl::StatusOr<StepResult> result = Work(step, values, labels);
    // Only now: to free the examples can take as long as a part of the work does.
    phases_->Enter(Phase::kOther);
    return result;
  }

  absl::StatusOr<double> ValidationAccuracy() override {
    const uint64_t count = data_->size(v1::VALIDATION);
    if (count == 0) return 0.0;
    RETURN_IF_ERROR(AverageBuffers());
    std::vector<uint64_t> ids;
    for (uint64_t id = collectives_->rank(); id < count; id += collectives_->size()) {
      ids.push_back(id);
    }
    ASSIGN_OR_RETURN(const TensorView logits, ComputeLogits(*model_, *data_, v1::VALIDATION, ids));
    const std::vector<int32_t> predicted = Argmax(logits);
    const std::span<const int32_t> labels = data_->labels(v1::VALIDATION);
    std::vector<double> counts = {0, 0};
    for (size_t i = 0; i < ids.size(); ++i) {
      if (labels[ids[i]] < 0) continue;
      counts[0] += labels[ids[i]] == predicted[i] ? 1 : 0;
      counts[1] += 1;
    }
    RETURN_IF_ERROR(collectives_->AllReduceSum(std::span<double>(counts)));
    return counts[1] == 0 ? 0 : counts[0] / counts[1];
  }

  absl::Status AgreeWithOtherRanks() override {
    RETURN_IF_ERROR(AverageBuffers());
    ASSIGN_OR_RETURN(const auto tensors, model_->Tensors());
    const std::string digest = ModelDigest(tensors);
    // 32 bits a number, so that sums of doubles are exact.
    std::vector<double> own;
    for (size_t at = 0; at + 8 <= digest.size(); at += 8) {
      uint32_t word = 0;
      for (size_t i = at; i < at + 8; ++i) {
        const char c = digest[i];
        word = word << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
      }
      own.push_back(word);
    }
    std::vector<double> sums = own;
    RETURN_IF_ERROR(collectives_->AllReduceSum(std::span<double>(sums)));
    for (size_t i = 0; i < own.size(); ++i) {
      if (sums[i] == own[i] * collectives_->size()) continue;
      return WithErrorId(
          absl::InternalError(absl::StrCat(
              "the models of the ranks of run ", run_.name(),
              " have come to differ; do all hosts have the same processor and the same build?")),
          ErrorId::kRanksDiffer);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Safetensors> SharedState(int64_t step) const override {
    Safetensors shared;
    ASSIGN_OR_RETURN(const auto tensors, model_->Tensors());
    for (const auto& [name, tensor] : tensors) shared.tensors[kModelPrefix + name] = tensor;
    ASSIGN_OR_RETURN(const auto state, optimizer_->State());
    for (const auto& [name, tensor] : state) shared.tensors[kOptimizerPrefix + name] = tensor;
    shared.metadata[kStep] = absl::StrCat(step);
    if (IsProgram(run_.model())) shared.metadata[kProgram] = ProgramFile(model_->config()).sha256();
    return shared;
  }

  // Order, views and subset are functions of seed and step: nothing of a rank is random.
  absl::StatusOr<Safetensors> RankState(int64_t step) const override {
    Safetensors rank;
    rank.metadata[kStep] = absl::StrCat(step);
    return rank;
  }

  absl::Status Restore(int64_t step, const Safetensors& shared, const Safetensors& rank) override {
    RETURN_IF_ERROR(CheckStep(shared, step));
    RETURN_IF_ERROR(CheckStep(rank, step));
    RETURN_IF_ERROR(CheckProgramOf(shared));
    absl::Status status = model_->SetTensors(WithPrefix(shared, kModelPrefix));
    if (status.ok()) status = optimizer_->SetState(WithPrefix(shared, kOptimizerPrefix));
    if (status.ok()) return status;
    return WithErrorId(
        absl::DataLossError(absl::StrCat("the checkpoint does not fit run ", run_.name(), ": ",
                                         std::string(status.message()))),
        ErrorId::kCheckpointOfAnotherPlan);
  }

  std::vector<uint64_t> GradientBucketBytes() const override {
    return reducer_ == nullptr ? std::vector<uint64_t>() : reducer_->BucketBytes();
  }

  void DescribeModel(v1::ExportManifest& manifest) const override {
    *manifest.mutable_model() = model_->config();
    manifest.set_parameters(model_->plan().parameters);
  }

  absl::StatusOr<std::map<std::string, TensorView>> ModelTensors() const override {
    return model_->Tensors();
  }

  absl::StatusOr<std::string> ModelProgram() const override { return model_->Serialized(); }

  absl::StatusOr<ExportCheck> MakeExportCheck() override {
    const v1::Split split = data_->size(v1::VALIDATION) > 0 ? v1::VALIDATION : v1::TRAIN;
    std::vector<uint64_t> ids(std::min<uint64_t>(kExportCheckExamples, data_->size(split)));
    std::iota(ids.begin(), ids.end(), 0);
    ExportCheck check;
    ASSIGN_OR_RETURN(check.logits, ComputeLogits(*model_, *data_, split, ids));
    check.ids = MakeTensorView(ElementType::kInt64, {static_cast<int64_t>(ids.size())},
                               std::vector<int64_t>(ids.begin(), ids.end()));
    ASSIGN_OR_RETURN(const TensorView first, data_->Examples(split, {ids.data(), 1}, {}, {}));
    const uint64_t kept = std::max<uint64_t>(1, kMaxCanaryBytes / first.bytes.size());
    ids.resize(std::min<uint64_t>(kept, ids.size()));
    ASSIGN_OR_RETURN(check.examples, data_->Examples(split, ids, {}, {}));
    return check;
  }

 private:
  absl::StatusOr<StepResult> Work(int64_t step, const StepValues& values,
                                  const TeacherLabels& labels) {
    phases_->Enter(Phase::kWaitData);
    ASSIGN_OR_RETURN(const std::vector<ExampleView> slice, Slice(step));
    ASSIGN_OR_RETURN(const at::Tensor examples, Examples(slice));
    ASSIGN_OR_RETURN(const ObjectiveInputs inputs, Inputs(step, slice, values, labels));

    phases_->Enter(Phase::kForward);
    reducer_->BeforeForward();
    if (IsProgram(run_.model())) SeedNoise(step);
    ASSIGN_OR_RETURN(const at::Tensor logits, model_->Forward(examples));
    std::vector<double> weights;
    for (const TermInfo& term : objective_.terms()) weights.push_back(WeightOf(term, values));
    ASSIGN_OR_RETURN(const ObjectiveValue value, objective_.Evaluate(logits, inputs, weights));

    phases_->Enter(Phase::kBackward);
    std::vector<double> sums;
    at::Tensor scaled;
    RETURN_IF_ERROR(CallTorch("loss", [&] {
      sums.push_back(value.loss.item<double>());
      // The reducer takes the mean over ranks; the loss is a sum over them.
      scaled = value.loss.mul(collectives_->size());
    }));
    sums.insert(sums.end(), value.terms.begin(), value.terms.end());
    RETURN_IF_ERROR(reducer_->Backward(scaled));
    RETURN_IF_ERROR(CheckGradients(step));

    phases_->Enter(Phase::kAllReduce);
    RETURN_IF_ERROR(collectives_->AllReduceSum(std::span<double>(sums)));
    ASSIGN_OR_RETURN(const StepResult result, Result(step, sums, inputs));

    phases_->Enter(Phase::kOptimizer);
    const std::optional<double> max_norm =
        run_.training().has_gradient_clip_norm()
            ? std::optional<double>(run_.training().gradient_clip_norm())
            : std::nullopt;
    const auto norm = ClipGradientNorm(model_->Parameters(), names_, max_norm);
    if (!norm.ok()) {
      const std::string text =
          absl::StrCat("step ", step, ": ", std::string(norm.status().message()));
      if (!absl::IsDataLoss(norm.status())) return absl::Status(norm.status().code(), text);
      return WithErrorId(absl::InternalError(text), ErrorId::kGradientNotFinite);
    }
    RETURN_IF_ERROR(optimizer_->Step(values.learning_rate));
    return result;
  }

  // Without a gradient of one parameter its bucket is not reduced, nor are later ones: the ranks
  // would part, unnoticed until the next checkpoint. After each step, since what a program does
  // may depend on the examples.
  absl::Status CheckGradients(int64_t step) const {
    std::vector<std::string> without;
    const std::vector<at::Tensor> parameters = model_->Parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!parameters[i].grad().defined()) without.push_back(names_[i]);
    }
    if (without.empty()) return absl::OkStatus();
    const size_t count = without.size();
    without.resize(std::min(count, kMostNamed));
    return absl::FailedPreconditionError(absl::StrCat(
        "step ", step, ": the output that is trained, '", model_->OutputNames().front(),
        "', does not depend on ", count, " of the parameters of the model of run ", run_.name(),
        " (", absl::StrJoin(without, ", "), count > kMostNamed ? ", ..." : "",
        "); take them out of the module, or keep them as they are with requires_grad_(False), ",
        "and script it again"));
  }

  absl::StatusOr<at::Tensor> Examples(const std::vector<ExampleView>& slice) {
    std::vector<uint64_t> ids;
    std::vector<uint64_t> seeds;
    for (const ExampleView& view : slice) {
      ids.push_back(view.example_id);
      seeds.push_back(view.view_seed);
    }
    ASSIGN_OR_RETURN(const TensorView examples,
                     data_->Examples(v1::TRAIN, ids, seeds, run_.view()));
    return CopyToTensor(examples);
  }

  absl::StatusOr<ObjectiveInputs> Inputs(int64_t step, const std::vector<ExampleView>& slice,
                                         const StepValues& values, const TeacherLabels& labels) {
    ObjectiveInputs inputs;
    inputs.temperature = values.temperature;
    std::vector<int64_t> targets;
    for (const ExampleView& view : slice) targets.push_back(labels_[view.example_id]);
    RETURN_IF_ERROR(CallTorch("labels", [&] { inputs.labels = at::tensor(targets, at::kLong); }));
    // Every rank knows the slices of all, so the count of the global batch needs no
    // all-reduce.
    for (int rank = 0; rank < collectives_->size(); ++rank) {
      ASSIGN_OR_RETURN(const std::vector<ExampleView> part,
                       order_.Slice(step, rank, collectives_->size()));
      inputs.global_examples += static_cast<int64_t>(part.size());
      for (const ExampleView& view : part) {
        inputs.global_labelled += labels_[view.example_id] >= 0 ? 1 : 0;
      }
    }
    for (const auto& [key, its] : labels) {
      if (const auto* const logits = std::get_if<TensorView>(&its)) {
        ASSIGN_OR_RETURN(inputs.teacher_logits[key], CopyToTensor(*logits));
      } else if (const auto* const hidden = std::get_if<HiddenLabels>(&its)) {
        ASSIGN_OR_RETURN(inputs.teacher_logits[key],
                         hidden_logits_[key].Of(*hidden, model_->Parameters().front().device()));
      } else {
        ASSIGN_OR_RETURN(inputs.sparse_targets[key],
                         SparseTargetAt(*std::get<std::shared_ptr<const SparseLabels>>(its),
                                        values.temperature));
      }
    }
    return inputs;
  }

  absl::StatusOr<StepResult> Result(int64_t step, const std::vector<double>& sums,
                                    const ObjectiveInputs& inputs) {
    StepResult result;
    result.loss = sums[0];
    for (size_t i = 0; i < objective_.terms().size(); ++i) {
      const TermInfo& term = objective_.terms()[i];
      const bool none =
          term.count == TermInfo::Count::kLabelledExamples && inputs.global_labelled == 0;
      if (!none) result.terms[term.name] = sums[i + 1];
      if (std::isfinite(sums[i + 1])) continue;
      return WithErrorId(
          absl::InternalError(absl::StrCat(
              "step ", step, ": the loss term ", term.name, " is ", sums[i + 1],
              "; training has diverged: lower the learning rate, or set gradient_clip_norm")),
          ErrorId::kLossNotFinite);
    }
    return result;
  }

  // What a program draws is a function of the step too, so that a resumed run draws it again.
  void SeedNoise(int64_t step) {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(
        Mix(noise_seed_, static_cast<uint64_t>(step), static_cast<uint64_t>(collectives_->rank())));
  }

  // The values would fit another module that computes something else.
  absl::Status CheckProgramOf(const Safetensors& shared) const {
    if (!IsProgram(run_.model())) return absl::OkStatus();
    const auto it = shared.metadata.find(kProgram);
    const std::string& now = ProgramFile(model_->config()).sha256();
    if (it != shared.metadata.end() && it->second == now) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "run ", run_.name(), ": the checkpoint was trained with the model file of SHA-256 ",
        it == shared.metadata.end() ? "(none)" : it->second, ", and ",
        ProgramFile(run_.model()).file(), " is now ", now, "; put the former file back"));
  }

  // Each rank's statistics are of its own part of the batch; their mean is taken where
  // they are used. Averaging is linear, so how often makes no difference but rounding.
  absl::Status AverageBuffers() {
    if (collectives_->size() == 1) return absl::OkStatus();
    for (at::Tensor& buffer : model_->Buffers()) {
      std::span<float> values(buffer.data_ptr<float>(), static_cast<size_t>(buffer.numel()));
      RETURN_IF_ERROR(collectives_->AllReduceSum(values));
      for (float& value : values) value /= static_cast<float>(collectives_->size());
    }
    return absl::OkStatus();
  }

  const v1::RunConfig run_;
  const std::shared_ptr<const DataSet> data_;
  Collectives* const collectives_;
  PhaseClock* const phases_;
  Order order_;
  const Objective objective_;
  const std::vector<int32_t> labels_;
  std::vector<std::string> names_;
  std::unique_ptr<Model> model_;
  std::map<std::pair<std::string, std::string>, HiddenLogits> hidden_logits_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<GradientReducer> reducer_;
  const uint64_t noise_seed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainerOptions& options,
                                                         std::shared_ptr<const DataSet> data,
                                                         Collectives* collectives,
                                                         PhaseClock* phases) {
  ASSIGN_OR_RETURN(RunExamples examples, ExamplesOfRun(options.run, data->labels(v1::TRAIN),
                                                       data->classes(), options.seed));
  ASSIGN_OR_RETURN(Order order, Order::Create(examples.order));
  ASSIGN_OR_RETURN(Objective objective, Objective::Create(options.run.objective()));
  auto trainer = std::make_unique<ReplicatedTrainer>(options, std::move(data), collectives, phases,
                                                     std::move(order), std::move(examples.labels),
                                                     std::move(objective));
  RETURN_IF_ERROR(trainer->Init(options));
  return trainer;
}

}  // namespace distill
