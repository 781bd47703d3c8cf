#include "distillation/objectives/hidden_logits.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>

#include "common/status/status_macros.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {

absl::StatusOr<at::Tensor> HiddenLogits::Of(const HiddenLabels& labels, at::Device device) {
  if (head_ != labels.head || weight_.device() != device) {
    head_ = nullptr;
    ASSIGN_OR_RETURN(const at::Tensor weight, CopyToTensor(labels.head->weight));
    ASSIGN_OR_RETURN(const at::Tensor bias, CopyToTensor(labels.head->bias));
    RETURN_IF_ERROR(CallTorch("the teacher's head", [&] {
      weight_ = weight.to(device);
      bias_ = bias.to(device);
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
