// The life of a run, as a table that both validation and tests read.
#ifndef COORDINATOR_STATE_RUN_STATES_H_
#define COORDINATOR_STATE_RUN_STATES_H_

#include "proto/coordinator.pb.h"

namespace distill {

//             runs before it done      world formed         finished
//   PENDING ----------------> WAITING ------------> ACTIVE ----------> DONE
//                              |  ^                  | |
//                              |  '-- world broken --' |
//                              '------> BROKEN <-------'   cannot go on
//
//   PENDING, WAITING, ACTIVE, BROKEN -> HALTED   the plan stopped or failed
//   BROKEN, HALTED -> PENDING                    the plan was resumed
//
// DONE is final; a BROKEN run ends its plan until that is resumed.
using RunState = v1::RunStatus::RunState;

bool CanMove(RunState from, RunState to);

}  // namespace distill

#endif  // COORDINATOR_STATE_RUN_STATES_H_
