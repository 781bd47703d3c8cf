// What people read of a plan that runs. Pure.
#ifndef CLI_PROGRESS_PROGRESS_H_
#define CLI_PROGRESS_PROGRESS_H_

#include <string>

#include "cli/progress/run_trends.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

// "distilled  step 400/1400  96.1/s  hard 0.912 soft 1.204  waiting for teacher 3%  ETA 9-11 s",
// or what the run waits for. One line of ASCII, without a newline. Losses, rate and ETA are
// those of the trend; where it is null, of the last report.
std::string ProgressLine(const v1::RunStatus& run, const RunTrend* trend = nullptr);

// "run/distilled", "student_worker/student-0": its runs and the processes that it has, a line
// each.
std::string StatusNames(const v1::PlanStatus& status);
// The whole status for scripts: {"version": 1, ...} with the fields of v1::PlanStatus, numbers as
// numbers.
std::string StatusJson(const v1::PlanStatus& status);
// Of a plan that is done, whose coordinator is gone: a line for people, without a newline.
std::string DoneText(const std::string& plan, const std::string& report);
// What its coordinator would say, but with the plan's name for its id: every run DONE.
v1::PlanStatus DoneStatus(const v1::PlanConfig& plan);
// StatusJson of it, and "report" beside the rest.
std::string DoneJson(const v1::PlanConfig& plan, const std::string& report);
// One line without a newline: {"version":1,"status":...,"estimates":{RUN:{"steps_per_second",
// "loss_terms","seconds_left_low","seconds_left_high"}}}, of runs that train.
std::string UpdateJson(const v1::PlanStatus& status, const RunTrends& trends);
// The same of DoneStatus, and "report" beside the rest.
std::string DoneUpdateJson(const v1::PlanConfig& plan, const std::string& report);

}  // namespace distill

#endif  // CLI_PROGRESS_PROGRESS_H_
