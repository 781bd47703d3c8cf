// Codecs that carry a teacher's last hidden state instead of its logits: hidden_fp32,
// hidden_fp16, hidden_bf16. Payloads are those of the dense codec of that width
// (dense_codecs.h) for [rows, features] values; who decodes needs the head (label_head.h).
// Where there are more classes than features it is the smallest label that loses none of them:
// 4 + 2 * features bytes in fp16.
//
// Errors. If a decoded hidden value i differs from what the teacher has by at most e_i
// (dense_codecs.h: with s the value's distance below the largest of its row, in fp16
// max(2^-11 * s, 2^-25), and 2^-24 of s and of the value for the float arithmetic; in fp32 none),
// then the logit of class c differs by at most
//   sum_i |weight[c, i]| * e_i
// beside what the product itself rounds.
#ifndef DISTILLATION_LABELS_HIDDEN_CODECS_H_
#define DISTILLATION_LABELS_HIDDEN_CODECS_H_

#include <memory>
#include <string>

#include "distillation/labels/label_codec.h"

namespace distill {

// `values` is a dense codec without parameters.
std::shared_ptr<const LabelCodec> MakeHidden(std::string name,
                                             std::shared_ptr<const LabelCodec> values);

}  // namespace distill

#endif  // DISTILLATION_LABELS_HIDDEN_CODECS_H_
