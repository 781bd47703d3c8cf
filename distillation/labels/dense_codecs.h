// Codecs that carry a value for each class.
//
//   dense_fp32       values as they are, bit for bit.
//                    payload: float32 [rows, classes].
//   dense_fp16       each value as its distance below the maximum of its row, in a half.
//                    payload: float32 [rows] row maxima, then binary16 [rows, classes].
//                    Half the bytes; the maxima give raw logits back to losses that need
//                    them.
//   dense_bf16       the same with bfloat16 instead of binary16: 8 times the error, but
//                    distances up to 3.39e38 keep their size.
//   log_prob_u8[/R]  each value as its distance below the maximum of its row in steps of
//                    R / 255; what lies deeper than R becomes R. R nats, a whole number
//                    from 1 to 1024, is 16 where the name has none.
//                    payload: float32 [rows] row maxima, then uint8 [rows, classes].
//                    parameters: float32 R, 0 < R <= 1024.
//                    About a byte a class. Without the maxima the values would be log
//                    probabilities up to a shift, which is all that a softmax needs; the 4
//                    bytes a row let it say the same as the others.
//
// All numbers are little-endian. Only log_prob_u8 has parameters.
//
// Errors. Let s = max - z >= 0 be the distance of a value below the maximum of its row.
// The decoded distance differs from s by at most d:
//   dense_fp16   max(2^-11 * s, 2^-25) for s <= 65504; larger ones become 65504
//   dense_bf16   max(2^-8 * s, 2^-134) for s <= 3.39e38; larger ones become that
//   log_prob_u8  R / 510 for s <= R; larger ones become R
// Subtracting in float32 costs another 2^-24 * s, and adding the maximum back 2^-24 of the
// result. If d is the largest error of a row in which nothing was clamped, then
// KL(p || p') <= (d / T)^2 / 2 for the softmax of the row at temperature T before and after
// (Hoeffding's lemma); for log_prob_u8 that is (R / 510 / T)^2 / 2.
// If m classes of a row were clamped to R, which gives each at most e^(-R / T) of the
// mass of the top class, then
//   KL(p || p') <= (d / T)^2 / 2 + m * e^(-R / T) * (1 + 2 * d / T).
// So R has to grow with the temperature: 16 * T leaves m * 1.1e-7.
#ifndef DISTILLATION_LABELS_DENSE_CODECS_H_
#define DISTILLATION_LABELS_DENSE_CODECS_H_

#include <memory>
#include <string>

#include "distillation/labels/label_codec.h"

namespace distill {

inline constexpr int kDefaultLogProbRange = 16;
inline constexpr int kMaxLogProbRange = 1024;

std::shared_ptr<const LabelCodec> MakeDenseFp32();
std::shared_ptr<const LabelCodec> MakeDenseFp16();
std::shared_ptr<const LabelCodec> MakeDenseBf16();
// `range` (R) in [1, kMaxLogProbRange], otherwise it crashes; `name` is what it says.
std::shared_ptr<const LabelCodec> MakeLogProbU8(std::string name, int range);

}  // namespace distill

#endif  // DISTILLATION_LABELS_DENSE_CODECS_H_
