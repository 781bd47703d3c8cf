// A codec that carries classes drawn from the teacher's distribution.
//
//   sampled[/N]   N classes of each row, drawn independently, each as likely as the teacher's
//                 softmax at T = 1 says. N is 50 where the name has none.
//
// payload: for each row, the N ids in order, in as few bits as name any class
// (bit_packing.h). No parameters. Whole rows stand one after the other.
//
// The target of a class, the share of the draws that it got, has the teacher's probability
// as its mean, so a cross-entropy against it and its gradient q - target are unbiased, with
// variance p (1 - p) / N for each class and (1 - sum p^2) / N for all ("Sparse Logit
// Sampling", arXiv 2503.16870). A top_k label errs in the same direction each time it is
// seen; this one does not, but no single label is exact. At another temperature than 1 it is
// not the teacher's distribution.
//
// Draw i of a row is a function of the codec's seed and the row's key (RowContext::keys)
// alone: the class where the running sum of the probabilities passes UniformReal(seed, key,
// i) (common/random). The same label comes out on every server, but for a teacher's own
// rounding.
#ifndef DISTILLATION_LABELS_SAMPLED_CODEC_H_
#define DISTILLATION_LABELS_SAMPLED_CODEC_H_

#include <cstdint>
#include <memory>
#include <string>

#include "distillation/labels/label_codec.h"

namespace distill {

inline constexpr int kDefaultDraws = 50;
inline constexpr int kMaxDraws = 4096;

// `draws` (N) in [1, kMaxDraws], otherwise it crashes; `name` is what it says.
std::shared_ptr<const LabelCodec> MakeSampled(std::string name, int draws, uint64_t seed);

}  // namespace distill

#endif  // DISTILLATION_LABELS_SAMPLED_CODEC_H_
