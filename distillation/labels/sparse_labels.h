// Soft labels that name a few classes of each row.
//
// Two kinds. Scores (from the codecs top_k and scores_at_ids) are the logits of some
// classes, the head, and the log-sum-exp of all others, the tail, at any temperature of
// a range: what a loss needs over the head and one bucket for the rest. Draws (from the
// codec sampled) are a target distribution over classes that were drawn from the teacher's.
//
// The tail is held as values at Chebyshev nodes of 1/T, because the mass that it has at one
// temperature says nothing exact about another; between the nodes it is interpolated in
// double. How exact that is stands in head_tail_codec.h.
//
// What no sparse label can say is how mass is spread within the tail. The KL over head and
// bucket is below the full one by p_tail * KL(teacher's tail || student's tail).
#ifndef DISTILLATION_LABELS_SPARSE_LABELS_H_
#define DISTILLATION_LABELS_SPARSE_LABELS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace distill {

// Row-major. A plain value; the functions below are pure.
struct SparseLabels {
  int64_t rows = 0;
  int64_t classes = 0;
  // Ids of a row.
  int64_t width = 0;
  // [rows, width], in [0, classes). Scores: rising. Draws: not falling.
  std::vector<int64_t> ids;

  // Scores. The logit of ids[r, i] is shift[r] + values[r, i]; a softmax needs no shift, and
  // values alone keep their digits under a large one. The shift is the maximum of the row,
  // over all classes, so that no value is above 0; where the ids are all classes it is 0 and
  // the values are the logits.
  std::vector<float> shift;   // [rows]
  std::vector<float> values;  // [rows, width]
  // The temperatures for which there is a tail.
  double min_temperature = 0;
  double max_temperature = 0;
  // [rows, tail_nodes], log sum exp((z - shift) / T) over the tail at the nodes
  // ChebyshevNodes(tail_nodes, 1 / max_temperature, 1 / min_temperature). No nodes: the
  // ids are all classes.
  int tail_nodes = 0;
  std::vector<double> tail;

  // Draws. [rows, width], each row sums to 1: times a class was drawn, of all draws, at its
  // first place among the ids, and 0 where the id is repeated. Scores have none.
  std::vector<float> weights;
};

// log sum over the tail of exp((z - shift) / T) for each row; -infinity where there is no
// tail. OUT_OF_RANGE for a temperature outside the labels' range: ask for labels with the
// whole range of the schedule. INVALID_ARGUMENT for draws, which have no tail.
absl::StatusOr<std::vector<double>> TailLogSumExp(const SparseLabels& labels, double temperature);

// log probabilities at T of the head's classes in the order of the ids, then of the tail, by
// the labels alone: width + 1 numbers that sum to one. Errors as above, and OUT_OF_RANGE for
// a row that is not there.
absl::StatusOr<std::vector<double>> HeadAndTailLogProbs(const SparseLabels& labels, int64_t row,
                                                        double temperature);

// What softmax makes the same distributions of, for all rows: [rows, width + 1], values / T and
// the tail's log-sum-exp at T. Errors as of TailLogSumExp.
absl::StatusOr<std::vector<double>> HeadAndTailScores(const SparseLabels& labels,
                                                      double temperature);

// Row i is row places[i] of the whole.
struct SparsePart {
  const SparseLabels* labels = nullptr;
  std::span<const int32_t> places;
};

// The whole of at least one part, which together name each of its rows once. INVALID_ARGUMENT
// unless all have the same classes, width, nodes and range of temperatures.
absl::StatusOr<SparseLabels> JoinSparseRows(std::span<const SparsePart> parts);

}  // namespace distill

#endif  // DISTILLATION_LABELS_SPARSE_LABELS_H_
