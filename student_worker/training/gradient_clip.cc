#include "student_worker/training/gradient_clip.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

// PyTorch's; keeps a norm of 0 from dividing by 0.
constexpr double kNormEpsilon = 1e-6;

// One norm for each gradient. Stacked first, so that an accelerator is waited for
// once, not once a parameter.
absl::StatusOr<std::vector<double>> Norms(const std::vector<at::Tensor>& gradients) {
  std::vector<double> norms(gradients.size());
  if (gradients.empty()) return norms;
  RETURN_IF_ERROR(CallTorch("norms of the gradients", [&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> each;
    for (const at::Tensor& gradient : gradients) {
      each.push_back(
          at::linalg_vector_norm(gradient, 2, std::nullopt, /*keepdim=*/false, at::kDouble));
    }
    const at::Tensor all = at::stack(each).to(at::kCPU);
    norms.assign(all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel());
  }));
  return norms;
}

}  // namespace

absl::StatusOr<double> ClipGradientNorm(std::span<const at::Tensor> parameters,
                                        std::span<const std::string> names,
                                        std::optional<double> max_norm) {
  if (names.size() != parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "clipping gradients: ", names.size(), " names for ", parameters.size(), " parameters"));
  }
  if (max_norm.has_value() && !(std::isfinite(*max_norm) && *max_norm > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient_clip_norm is ", *max_norm,
                     "; it must be finite and above 0; leave it out for no clipping"));
  }
  std::vector<at::Tensor> gradients;
  std::vector<std::string> gradient_names;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].grad().defined()) continue;
    gradients.push_back(parameters[i].grad());
    gradient_names.push_back(names[i]);
  }
  ASSIGN_OR_RETURN(const std::vector<double> norms, Norms(gradients));
  double total = 0;
  for (size_t i = 0; i < norms.size(); ++i) {
    // Squares of finite norms could overflow; hypot does not form them.
    total = std::hypot(total, norms[i]);
    if (std::isfinite(total)) continue;
    return absl::DataLossError(
        absl::StrCat("the gradient of ", gradient_names[i], " has norm ", norms[i],
                     ": training has diverged; go back to a checkpoint and lower the learning "
                     "rate or gradient_clip_norm"));
  }
  if (!max_norm.has_value()) return total;
  const double scale = *max_norm / (total + kNormEpsilon);
  if (scale >= 1) return total;
  RETURN_IF_ERROR(CallTorch("clipping the gradients", [&] {
    at::NoGradGuard no_grad;
    for (at::Tensor& gradient : gradients) gradient.mul_(scale);
  }));
  return total;
}

}  // namespace distill
