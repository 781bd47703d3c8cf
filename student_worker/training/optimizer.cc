#include "student_worker/training/optimizer.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

using Sgd = v1::TrainingConfig::Sgd;
using AdamW = v1::TrainingConfig::AdamW;

// A parameter and its state; what an algorithm does not need stays undefined.
struct Slot {
  at::Tensor parameter;
  at::Tensor momentum;
  at::Tensor exp_avg;
  at::Tensor exp_avg_sq;
  // int64 [], in host memory.
  at::Tensor step;
};

absl::Status Require(bool holds, std::string_view field, double value, std::string_view rule) {
  if (holds) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(field), " is ", value, "; it must be ", std::string(rule)));
}

bool IsFiniteAndNotNegative(double value) { return std::isfinite(value) && value >= 0; }

// As the checks of a whole plan, which come first; here against a configuration whose
// defaults were not resolved, which would train, but wrongly.
absl::Status CheckOptions(const v1::TrainingConfig& training) {
  if (training.has_sgd()) {
    const Sgd& sgd = training.sgd();
    RETURN_IF_ERROR(Require(sgd.momentum() >= 0 && sgd.momentum() < 1, "sgd.momentum",
                            sgd.momentum(), "at least 0 and below 1"));
    RETURN_IF_ERROR(Require(!sgd.nesterov() || sgd.momentum() > 0, "sgd.nesterov", sgd.nesterov(),
                            "off unless sgd.momentum is above 0"));
    return Require(IsFiniteAndNotNegative(sgd.weight_decay()), "sgd.weight_decay",
                   sgd.weight_decay(), "finite and not negative");
  }
  if (!training.has_adamw()) {
    return absl::InvalidArgumentError("optimizer is not set; give one of sgd, adamw");
  }
  const AdamW& adamw = training.adamw();
  const auto fraction = [](double value) { return value > 0 && value < 1; };
  RETURN_IF_ERROR(
      Require(fraction(adamw.beta1()), "adamw.beta1", adamw.beta1(), "above 0 and below 1"));
  RETURN_IF_ERROR(
      Require(fraction(adamw.beta2()), "adamw.beta2", adamw.beta2(), "above 0 and below 1"));
  RETURN_IF_ERROR(Require(std::isfinite(adamw.epsilon()) && adamw.epsilon() > 0, "adamw.epsilon",
                          adamw.epsilon(), "finite and above 0"));
  return Require(IsFiniteAndNotNegative(adamw.weight_decay()), "adamw.weight_decay",
                 adamw.weight_decay(), "finite and not negative");
}

absl::Status CheckParameters(const std::vector<at::Tensor>& parameters,
                             const std::vector<std::string>& names) {
  if (names.size() != parameters.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(names.size(), " names for ", parameters.size(), " parameters"));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!seen.insert(names[i]).second) {
      return absl::InvalidArgumentError(absl::StrCat("two parameters are named ", names[i]));
    }
    const at::Tensor& parameter = parameters[i];
    if (!parameter.defined() ||
        (parameter.scalar_type() != at::kFloat && parameter.scalar_type() != at::kDouble)) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter ", names[i], " is ",
                       parameter.defined() ? c10::toString(parameter.scalar_type()) : "undefined",
                       "; it must be float32 or float64"));
    }
  }
  return absl::OkStatus();
}

void UpdateSgd(const Sgd& sgd, double rate, at::Tensor gradient, Slot& slot) {
  if (sgd.weight_decay() != 0) gradient = gradient.add(slot.parameter, sgd.weight_decay());
  if (slot.momentum.defined()) {
    slot.momentum.mul_(sgd.momentum()).add_(gradient);
    gradient = sgd.nesterov() ? gradient.add(slot.momentum, sgd.momentum()) : slot.momentum;
  }
  slot.parameter.add_(gradient, -rate);
}

void UpdateAdamW(const AdamW& adamw, double rate, const at::Tensor& gradient, Slot& slot) {
  slot.step.add_(1);
  const double step = static_cast<double>(slot.step.item<int64_t>());
  slot.parameter.mul_(1 - rate * adamw.weight_decay());
  slot.exp_avg.mul_(adamw.beta1()).add_(gradient, 1 - adamw.beta1());
  slot.exp_avg_sq.mul_(adamw.beta2()).addcmul_(gradient, gradient, 1 - adamw.beta2());
  const double correction1 = 1 - std::pow(adamw.beta1(), step);
  const double correction2 = 1 - std::pow(adamw.beta2(), step);
  const at::Tensor divisor =
      slot.exp_avg_sq.sqrt().div_(std::sqrt(correction2)).add_(adamw.epsilon());
  slot.parameter.addcdiv_(slot.exp_avg, divisor, -rate / correction1);
}

std::string Describe(const at::Tensor& tensor) {
  return absl::StrCat(c10::toString(tensor.scalar_type()), " [",
                      absl::StrJoin(tensor.sizes().vec(), ","), "]");
}

// The tensor that is to replace `current`.
absl::StatusOr<at::Tensor> Replacement(const TensorView& view, const at::Tensor& current) {
  ASSIGN_OR_RETURN(at::Tensor values, CopyToTensor(view));
  if (values.scalar_type() != current.scalar_type() || values.sizes() != current.sizes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is ", Describe(values), ", but this optimizer's is ", Describe(current)));
  }
  if (values.scalar_type() == at::kLong && *values.const_data_ptr<int64_t>() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("is ", *values.const_data_ptr<int64_t>(), "; steps are counted from 0"));
  }
  return values;
}

}  // namespace

struct Optimizer::Impl {
  v1::TrainingConfig training;
  std::vector<Slot> slots;
  // The slots' state by key; shares their memory.
  std::map<std::string, at::Tensor> state;
};

Optimizer::Optimizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Optimizer::~Optimizer() = default;

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(const v1::TrainingConfig& training,
                                                             std::vector<at::Tensor> parameters,
                                                             std::vector<std::string> names) {
  RETURN_IF_ERROR(CheckOptions(training));
  RETURN_IF_ERROR(CheckParameters(parameters, names));
  auto impl = std::make_unique<Impl>();
  impl->training = training;
  RETURN_IF_ERROR(CallTorch("creating an optimizer", [&] {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); ++i) {
      Slot slot;
      slot.parameter = std::move(parameters[i]);
      const auto add = [&](std::string_view what, at::Tensor zeros) {
        return impl->state.emplace(absl::StrCat(std::string(what), "/", names[i]), zeros)
            .first->second;
      };
      if (training.has_adamw()) {
        slot.exp_avg = add("exp_avg", at::zeros_like(slot.parameter));
        slot.exp_avg_sq = add("exp_avg_sq", at::zeros_like(slot.parameter));
        slot.step = add("step", at::zeros({}, at::kLong));
      } else if (training.sgd().momentum() > 0) {
        slot.momentum = add("momentum", at::zeros_like(slot.parameter));
      }
      impl->slots.push_back(std::move(slot));
    }
  }));
  return std::unique_ptr<Optimizer>(new Optimizer(std::move(impl)));
}

absl::Status Optimizer::Step(double learning_rate) {
  RETURN_IF_ERROR(Require(IsFiniteAndNotNegative(learning_rate), "learning_rate", learning_rate,
                          "finite and not negative"));
  return CallTorch("optimizer step", [&] {
    at::NoGradGuard no_grad;
    for (Slot& slot : impl_->slots) {
      const at::Tensor gradient = slot.parameter.grad();
      if (!gradient.defined()) continue;
      if (impl_->training.has_adamw()) {
        UpdateAdamW(impl_->training.adamw(), learning_rate, gradient, slot);
      } else {
        UpdateSgd(impl_->training.sgd(), learning_rate, gradient, slot);
      }
    }
  });
}

absl::StatusOr<std::map<std::string, TensorView>> Optimizer::State() const {
  std::map<std::string, TensorView> views;
  for (const auto& [key, tensor] : impl_->state) {
    ASSIGN_OR_RETURN(views[key], CopyToView(tensor));
  }
  return views;
}

absl::Status Optimizer::SetState(const std::map<std::string, TensorView>& state) {
  for (const auto& [key, view] : state) {
    if (!impl_->state.contains(key)) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state ", key,
                       " is unknown here; was it saved by another optimizer or model?"));
    }
  }
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const auto& [key, tensor] : impl_->state) {
    const auto it = state.find(key);
    if (it == state.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "optimizer state ", key, " is missing; was it saved by another optimizer or model?"));
    }
    absl::StatusOr<at::Tensor> values = Replacement(it->second, tensor);
    if (!values.ok()) return Annotate(values.status(), absl::StrCat("optimizer state ", key));
    copies.emplace_back(tensor, *std::move(values));
  }
  return CallTorch("setting an optimizer's state", [&] {
    at::NoGradGuard no_grad;
    for (auto& [tensor, values] : copies) tensor.copy_(values);
  });
}

}  // namespace distill
