// How many threads LibTorch computes with in this process.
#ifndef DISTILLATION_MODELS_THREADS_H_
#define DISTILLATION_MODELS_THREADS_H_

#include "absl/status/status.h"

namespace distill {

// Sets LibTorch's threads within one operation, for the whole process. Call it once,
// before the first tensor: the number decides how sums round. INVALID_ARGUMENT for
// less than one thread; INTERNAL when LibTorch reports another number back.
absl::Status SetComputeThreads(int threads);

}  // namespace distill

#endif  // DISTILLATION_MODELS_THREADS_H_
