// The norm of all gradients together, and its limit.
#ifndef STUDENT_WORKER_TRAINING_GRADIENT_CLIP_H_
#define STUDENT_WORKER_TRAINING_GRADIENT_CLIP_H_

#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace at {
class Tensor;
}

namespace distill {

// The L2 norm over all gradients, as it was before clipping; 0 where no parameter
// has one. With `max_norm`, gradients are multiplied by
// min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ does; without,
// they stay. Call it on the gradients of the global batch, after the all-reduce:
// ranks then clip alike. Norms are summed in double. All gradients lie on one device
// and are written by nobody else meanwhile.
//
// `names`, one for each parameter, are for messages. DATA_LOSS, naming the first
// parameter at which the norm stops being finite, and nothing changed: training has
// diverged and repeating the step does not help; go back to a checkpoint and lower
// the learning rate or the clipping norm. INVALID_ARGUMENT for a max_norm that is not
// finite and above 0, or another number of names.
absl::StatusOr<double> ClipGradientNorm(std::span<const at::Tensor> parameters,
                                        std::span<const std::string> names,
                                        std::optional<double> max_norm);

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_GRADIENT_CLIP_H_
