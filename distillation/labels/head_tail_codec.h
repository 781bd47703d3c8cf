// Codecs that carry the logits of some classes and the tail of all others as a function of
// the temperature (sparse_labels.h).
//
//   top_k[/k[/nodes]]         the k largest logits of each row, of equal ones those with the
//                             smaller ids. k is 16 and nodes 12 where the name has none.
//   scores_at_ids/n[/nodes]   the logits of n classes that the student chose for each row;
//                             it knows them, so that no ids travel back. Both sides give the
//                             same ids in their RowContext.
//
// parameters: float64 lowest, float64 highest temperature.
// payload: for each row, all numbers little-endian,
//   float32 maximum     of the row, over all classes
//   float32 scale       the deficit of the tail at the largest node, below
//   uint24 [nodes]      deficit of the tail at each node of 1/T, in units of scale / (2^24 - 1)
//   uint16 [k]          distance of each logit below the maximum (short_distance.h)
//   bits [k]            ids, rising, in as few bits as name any class (bit_packing.h); top_k
// Whole rows stand one after the other, so that rows are cut and joined without decoding.
// Rising order takes the bits that an order by value takes, shows in one pass that no id is
// there twice, and needs no ids at all where k covers all classes. In that case
// (k >= classes) a row is
//   float32 [classes]   the logits, bit for bit, and there is no tail.
//
// The deficit of the tail of m classes at T is log m - log sum exp((z - maximum) / T): how
// far the mean of what the tail's classes weigh lies below the top class. It is never
// negative, grows with 1/T, and lies near 0 for a flat row whatever the number of classes;
// so 24 bits of the largest one say each to (largest deficit) * 3e-8, where a float32 of the
// sum itself would round at 6e-8 of it and take a byte more.
//
// Errors, at any temperature of the range. Let e be the largest error of a logit over T and
// of the tail's log-sum-exp, and p a probability of the head or the tail. Then KL(p || p')
// over head and tail is at most e^2 / 2 and |p_i' - p_i| <= 2 * p_i * (1 - p_i) * e
// (to first order). A logit's part of e is 2^-13 of its distance over T. The tail's part is
// the error of interpolation, which falls with the number of nodes and grows with the range
// of 1/T and with the spread of the tail's logits. Measured with the default 12 nodes over T
// from 1 to 8 (rows of 1,000 classes from N(0, s^2) with s up to 16, and from Student's t
// with 2 or 3 degrees of freedom): a KL of at most 1e-8, and 3e-5 in a probability; the test
// asks 1e-5 and 1e-4. A tail that is a cliff (some classes that nearly reach the head, and
// all others 16 to 20 nats below those) errs by up to 4e-4 in a probability, still with a KL
// below 1e-6: give it more nodes, or a k that reaches the edge of the cliff.
#ifndef DISTILLATION_LABELS_HEAD_TAIL_CODEC_H_
#define DISTILLATION_LABELS_HEAD_TAIL_CODEC_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "distillation/labels/label_codec.h"

namespace distill {

inline constexpr int kDefaultHead = 16;
inline constexpr int kMaxHead = 4096;
inline constexpr int kDefaultTailNodes = 12;
inline constexpr int kMaxTailNodes = 32;

// The range of temperatures must lie in these.
inline constexpr double kMinSparseTemperature = 1.0 / 32;
inline constexpr double kMaxSparseTemperature = 32;

struct HeadTailOptions {
  int head = kDefaultHead;             // k, or n: 1 to kMaxHead
  int tail_nodes = kDefaultTailNodes;  // 1 to kMaxTailNodes
  // For encoding. A range of one temperature is exact with any number of nodes.
  double min_temperature = 1;
  double max_temperature = 8;
};

// `name` is what the codec says. INVALID_ARGUMENT for options that are out of bounds; one
// node over a range of temperatures is refused by Encode.
absl::StatusOr<std::shared_ptr<const LabelCodec>> MakeTopK(std::string name,
                                                           const HeadTailOptions& options);

// EncodedBytes is INVALID_ARGUMENT for fewer classes than ids.
absl::StatusOr<std::shared_ptr<const LabelCodec>> MakeScoresAtIds(std::string name,
                                                                  const HeadTailOptions& options);

}  // namespace distill

#endif  // DISTILLATION_LABELS_HEAD_TAIL_CODEC_H_
