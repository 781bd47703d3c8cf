#include "distillation/models/threads.h"

#include <ATen/Parallel.h>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"

namespace distill {

absl::Status SetComputeThreads(int threads) {
  if (threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a process computes with at least 1 thread, not ", threads));
  }
  int reported = 0;
  RETURN_IF_ERROR(CallTorch("setting LibTorch's threads", [&] {
    at::set_num_threads(threads);
    reported = at::get_num_threads();
  }));
  if (reported == threads) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("LibTorch was told to use ", threads, " threads and reports ", reported,
                   "; set them before anything else in the process uses LibTorch"));
}

}  // namespace distill
