#include "common/executor/executor.h"

namespace distill {

absl::Status InlineExecutor::Schedule(absl::AnyInvocable<void()> closure) {
  closure();
  return absl::OkStatus();
}

}  // namespace distill
