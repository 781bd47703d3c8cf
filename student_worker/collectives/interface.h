// What a data-parallel training step needs of its world.
#ifndef STUDENT_WORKER_COLLECTIVES_INTERFACE_H_
#define STUDENT_WORKER_COLLECTIVES_INTERFACE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace at {
class Tensor;
}

namespace distill {

// Averages the gradients of one set of parameters over all ranks, overlapped with
// backward. Per step, in this order: BeforeForward, forward, Backward. When
// Backward returns OK and every parameter has a gradient, each is the mean of
// all ranks' gradients. A parameter that the loss does not depend on has none,
// and then those of others may be this rank's own: the step is void. Confined to
// the thread that trains.
class GradientReducer {
 public:
  virtual ~GradientReducer() = default;
  virtual void BeforeForward() = 0;
  // Runs loss.backward(). UNAVAILABLE when a peer is lost (the step is void:
  // leave the world), INTERNAL when LibTorch fails.
  virtual absl::Status Backward(const at::Tensor& loss) = 0;
  // Bytes of each gradient bucket in the order of reduction; recorded in
  // checkpoints, since sums over more than two ranks depend on it.
  virtual std::vector<uint64_t> BucketBytes() const = 0;
};

// One rank's end of a world. All ranks make the same calls in the same order.
// Confined to the thread that trains, but for Abort. Every call may return
// UNAVAILABLE (a peer is lost or a wait ran out: leave the world, wait for the
// next generation) and returns ABORTED after Abort.
class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Replaces each value by its sum over all ranks.
  virtual absl::Status AllReduceSum(std::span<float> values) = 0;
  virtual absl::Status AllReduceSum(std::span<double> values) = 0;
  // Replaces the values by those of `root`.
  virtual absl::Status Broadcast(std::span<float> values, int root) = 0;
  virtual absl::Status Barrier() = 0;

  virtual absl::StatusOr<std::unique_ptr<GradientReducer>> MakeGradientReducer(
      std::vector<at::Tensor> parameters) = 0;

  // Thread-safe. Calls made afterwards return ABORTED. What it cannot do: Gloo
  // has no abort of its own, so a call in progress ends only when a peer's
  // sockets close or its timeout runs out; a frozen peer costs the timeout.
  virtual void Abort() = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_COLLECTIVES_INTERFACE_H_
