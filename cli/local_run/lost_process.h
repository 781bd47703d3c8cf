// Why a plan cannot go on here: one of its processes is gone.
#ifndef CLI_LOCAL_RUN_LOST_PROCESS_H_
#define CLI_LOCAL_RUN_LOST_PROCESS_H_

#include <string>

#include "cli/launcher/supervisor.h"

namespace distill {

// What people are told of a process that left before the plan was done, with an id: the end of
// its log, where that has one, speaks for itself. One that was told to stop and did is no failure
// of its own: it exited with 0, or, where that leaves work to be done again, with 6.
std::string WhyLost(const ProcessExit& exit, const std::string& log_path);

}  // namespace distill

#endif  // CLI_LOCAL_RUN_LOST_PROCESS_H_
