// Runs a model on batches of examples. Every device has one runner.
#ifndef TEACHER_SERVER_RUNNER_INTERFACE_H_
#define TEACHER_SERVER_RUNNER_INTERFACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"

namespace distill {

// Examples of one forward pass: float32 [rows, example dims...], preprocessed.
struct InferenceBatch {
  TensorView examples;
  // Names of declared outputs (ModelDescription.outputs) to compute, and kHiddenOutput where the
  // model has a head.
  std::vector<std::string> outputs;
};

// One float32 tensor [rows, ...] per name in InferenceBatch.outputs, same order.
struct InferenceResult {
  std::vector<TensorView> outputs;
  // From Start to the begin of the work: behind the batches that were started before.
  absl::Duration waited;
  absl::Duration compute;
};

// float32 [rows, features]: what the head makes logits of. Of one forward pass with the other
// outputs of a batch; without them the head is not computed.
inline constexpr char kHiddenOutput[] = "hidden";

// What a runner serves; constant for its life.
struct ModelDescription {
  std::string fingerprint;
  // Instruction set, threads, LibTorch version and dtype: two runners of one
  // numerics class give equal bits for equal batches.
  std::string numerics_class;
  std::vector<int64_t> example_dims;
  int64_t classes = 0;
  std::vector<std::string> outputs;
  // The last layer, where that is a linear one that makes "logits"; else null.
  std::shared_ptr<const LabelHead> head = nullptr;
};

// Thread-safe. Start never blocks; at most max_in_flight() batches may be started
// and not done.
class Runner {
 public:
  using Done = std::function<void(absl::StatusOr<InferenceResult>)>;

  // Waits for the batches in flight; every `done` has run when it returns.
  virtual ~Runner() = default;

  virtual const ModelDescription& description() const = 0;
  virtual int max_in_flight() const = 0;

  // Calls `done` once, from any thread, possibly before it returns. Codes:
  // INVALID_ARGUMENT (shape or output that the model does not have: refuse the
  // request), RESOURCE_EXHAUSTED (max_in_flight exceeded: a bug of the caller's
  // batcher), DATA_LOSS (a non-finite output; the message names the row: the
  // request fails), INTERNAL (the model failed: stop serving it).
  virtual void Start(InferenceBatch batch, Done done) = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_RUNNER_INTERFACE_H_
