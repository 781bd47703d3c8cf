// What bounded each run of a plan, from its files.
#ifndef CLI_REPORT_VERDICTS_H_
#define CLI_REPORT_VERDICTS_H_

#include <string>

#include "common/files/file_system.h"
#include "proto/report.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

// Sets `verdict` of each model of the report, from RUN_DIR/<run>/metrics.rank<r>.jsonl of
// all ranks. A rank without a file, as one on a host with another folder, is left out. A
// report is worth more than its verdicts, so this never fails: the verdict says instead
// what could not be read.
void AddVerdicts(FileSystem& files, const std::string& run_dir, const v1::PlanConfig& plan,
                 v1::Report& report);

}  // namespace distill

#endif  // CLI_REPORT_VERDICTS_H_
