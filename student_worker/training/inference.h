// What a model computes for the examples of a data set, and how often it is right.
#ifndef STUDENT_WORKER_TRAINING_INFERENCE_H_
#define STUDENT_WORKER_TRAINING_INFERENCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "distillation/models/model.h"
#include "proto/types.pb.h"

namespace distill {

// Logits [ids, classes], float32, of un-augmented views in evaluation mode, computed
// on the model's device in blocks of 500 examples. Afterwards the model is in the mode
// it was in; nobody else may use it meanwhile. Errors of DataSet::Examples and
// Model::Forward.
absl::StatusOr<TensorView> ComputeLogits(Model& model, const DataSet& data, v1::Split split,
                                         std::span<const uint64_t> ids);

// The class with the largest of float32 logits [n, classes], the first of equals.
std::vector<int32_t> Argmax(const TensorView& logits);

// Share of the labelled examples (label not -1) whose class was predicted; 0 where
// none is labelled. As many predictions as labels: crashes otherwise.
double Accuracy(std::span<const int32_t> predictions, std::span<const int32_t> labels);

// Share of examples with equal predictions; 0 of none. Two of one length: crashes
// otherwise.
double Agreement(std::span<const int32_t> a, std::span<const int32_t> b);

// Median time of `passes` forward passes, at least one, over `examples` [n, ...]
// float32 in evaluation mode, after `warm_up` passes that do not count. For a model on
// the host, where a pass has ended when it returns. Mode and errors as ComputeLogits.
absl::StatusOr<absl::Duration> MedianLatency(Model& model, const TensorView& examples, int warm_up,
                                             int passes, Clock& clock);

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_INFERENCE_H_
