#include "distillation/objectives/hidden_logits.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>

#include <cstddef>

#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {

namespace {

// A head may be large, and is read only, as LibTorch has no type to say.
at::Tensor InPlace(const TensorView& view) {
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.dims,
                       at::TensorOptions().dtype(at::kFloat));
}

}  // namespace

absl::StatusOr<at::Tensor> HiddenLogits::Of(const HiddenLabels& labels, at::Device device) {
  if (head_ != labels.head || weight_.device() != device) {
    head_ = nullptr;
    RETURN_IF_ERROR(CallTorch("the teacher's head", [&] {
      weight_ = InPlace(labels.head->weight).to(device);
      bias_ = InPlace(labels.head->bias).to(device);
    }));
    head_ = labels.head;
  }
  ASSIGN_OR_RETURN(const at::Tensor hidden, CopyToTensor(labels.hidden));
  at::Tensor logits;
  const at::NoGradGuard no_grad;
  RETURN_IF_ERROR(CallTorch("logits of hidden labels",
                            [&] { logits = at::linear(hidden.to(device), weight_, bias_); }));
  return logits;
}

}  // namespace distill
