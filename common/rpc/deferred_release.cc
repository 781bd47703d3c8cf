#include "common/rpc/deferred_release.h"

#include <utility>

#include "common/executor/thread_executor.h"

namespace distill {

void ReleaseLater(std::shared_ptr<const void> object) {
  // Never destroyed: streams may end while the process does.
  static auto* const executor =
      new ThreadExecutor({.name = "rpc release", .threads = 1, .max_queued = 65536});
  // Full: dropped here and now, which is nearly always harmless.
  executor->Schedule([object = std::move(object)]() mutable { object.reset(); }).IgnoreError();
}

}  // namespace distill
