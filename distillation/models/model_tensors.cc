#include "distillation/models/model_tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

absl::Status CheckTensor(const std::string& name, const TensorView& view, const at::Tensor& own,
                         const at::Tensor& given) {
  if (given.scalar_type() != own.scalar_type()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor ", name, " is ", ElementTypeName(view.type), ", not ",
        own.scalar_type() == at::kFloat ? "float32" : c10::toString(own.scalar_type())));
  }
  if (given.sizes() != own.sizes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", name, " has shape [", absl::StrJoin(view.dims, ","),
                     "], but the model's is [", absl::StrJoin(own.sizes().vec(), ","), "]"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckExamples(const at::Tensor& examples, const std::vector<int64_t>& input_dims) {
  if (examples.dim() >= 2 && examples.scalar_type() == at::kFloat) {
    const auto wanted = CheckedElements(input_dims, sizeof(float));
    const auto given = CheckedElements(examples.sizes().slice(1), sizeof(float));
    if (wanted.ok() && given.ok() && *given == *wanted) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("examples are ", c10::toString(examples.scalar_type()), " [",
                   absl::StrJoin(examples.sizes().vec(), ","), "], but the model reads float32 [n,",
                   absl::StrJoin(input_dims, ","), "]"));
}

absl::StatusOr<std::map<std::string, TensorView>> CopyToViews(
    const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    ASSIGN_OR_RETURN(views[name], CopyToView(tensor));
  }
  return views;
}

absl::Status CopyFromViews(const std::map<std::string, TensorView>& views,
                           const std::map<std::string, at::Tensor>& tensors) {
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const auto& [name, tensor] : tensors) {
    const auto it = views.find(name);
    if (it == views.end()) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " is missing"));
    }
    absl::StatusOr<at::Tensor> values = CopyToTensor(it->second);
    if (!values.ok()) return Annotate(values.status(), name);
    RETURN_IF_ERROR(CheckTensor(name, it->second, tensor, *values));
    copies.emplace_back(tensor, *std::move(values));
  }
  for (const auto& [name, view] : views) {
    if (!tensors.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " is no tensor of this model"));
    }
  }
  return CallTorch("setting a model's tensors", [&] {
    const at::NoGradGuard no_grad;
    for (auto& [tensor, values] : copies) tensor.copy_(values);
  });
}

}  // namespace distill
