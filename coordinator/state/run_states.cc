#include "coordinator/state/run_states.h"

namespace distill {

bool CanMove(RunState from, RunState to) {
  using S = v1::RunStatus;
  switch (from) {
    case S::PENDING:
      return to == S::WAITING || to == S::HALTED;
    case S::WAITING:
      return to == S::ACTIVE || to == S::BROKEN || to == S::HALTED;
    case S::ACTIVE:
      return to == S::WAITING || to == S::DONE || to == S::BROKEN || to == S::HALTED;
    case S::BROKEN:
      return to == S::HALTED || to == S::PENDING;
    case S::HALTED:
      return to == S::PENDING;
    default:
      return false;
  }
}

}  // namespace distill
