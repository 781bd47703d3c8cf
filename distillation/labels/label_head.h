// The layer that makes logits of hidden states, for labels that carry those: a student that
// holds it computes the teacher's logits itself, all classes, and no codec comes between.
#ifndef DISTILLATION_LABELS_LABEL_HEAD_H_
#define DISTILLATION_LABELS_LABEL_HEAD_H_

#include <cstdint>
#include <memory>

#include "common/tensor_view/tensor_view.h"

namespace distill {

// logits[r, c] = sum_i hidden[r, i] * weight[c, i] + bias[c]. In host memory; a plain value,
// whose numbers no longer change.
struct LabelHead {
  // float32 [classes, features].
  TensorView weight;
  // float32 [classes].
  TensorView bias;

  int64_t classes() const { return weight.dims[0]; }
  int64_t features() const { return weight.dims[1]; }
  uint64_t bytes() const { return weight.bytes.size() + bias.bytes.size(); }
};

// Hidden states float32 [rows, features], and the head that they are for, never null.
struct HiddenLabels {
  TensorView hidden;
  std::shared_ptr<const LabelHead> head;
};

}  // namespace distill

#endif  // DISTILLATION_LABELS_LABEL_HEAD_H_
