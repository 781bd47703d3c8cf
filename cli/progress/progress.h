// What people read of a plan that runs. Pure.
#ifndef CLI_PROGRESS_PROGRESS_H_
#define CLI_PROGRESS_PROGRESS_H_

#include <map>
#include <string>
#include <vector>

#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

// "distilled  step 400/1400  96.1/s  hard 0.912 soft 1.204  waiting 3%  ETA 10 s", or
// what the run waits for. One line, without a newline.
std::string ProgressLine(const v1::RunStatus& run, int64_t steps);

// A line of each run that trains, and of each teacher server that has failed them; while
// none trains, of those that wait.
std::vector<std::string> ProgressLines(const v1::PlanStatus& status, const v1::PlanConfig& plan);

// The whole status as `distillctl status` prints it: the plan, its runs, its processes.
std::string StatusText(const v1::PlanStatus& status, const v1::PlanConfig& plan);
// The same for scripts.
std::string StatusJson(const v1::PlanStatus& status);

}  // namespace distill

#endif  // CLI_PROGRESS_PROGRESS_H_
