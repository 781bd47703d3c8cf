// Hidden labels made into the logits that every term takes.
#ifndef DISTILLATION_OBJECTIVES_HIDDEN_LOGITS_H_
#define DISTILLATION_OBJECTIVES_HIDDEN_LOGITS_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "distillation/labels/label_head.h"

namespace distill {

// Thread-compatible. Keeps the head of the last labels, on the host without a copy, since one head
// serves all labels of a teacher.
class HiddenLogits {
 public:
  // The teacher's logits, float32 [n, classes] on `device`: one matrix product of 2 * n * features
  // * classes operations. They are the teacher's own up to rounding, since sums are taken in
  // another order. INVALID_ARGUMENT for states whose bytes do not fill their shape.
  absl::StatusOr<at::Tensor> Of(const HiddenLabels& labels, at::Device device);

 private:
  std::shared_ptr<const LabelHead> head_;
  at::Tensor weight_;
  at::Tensor bias_;
};

}  // namespace distill

#endif  // DISTILLATION_OBJECTIVES_HIDDEN_LOGITS_H_
