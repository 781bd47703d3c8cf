// DIR/report.html: the comparison of a plan's models with the curves of its runs.
#ifndef CLI_REPORT_HTML_REPORT_H_
#define CLI_REPORT_HTML_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "common/files/file_system.h"
#include "proto/report.pb.h"
#include "proto/run_config.pb.h"
#include "student_worker/accounting/event_curves.h"
#include "student_worker/accounting/run_accounting.h"

namespace distill {

// What a run left in its folder.
struct RunRecords {
  Curves curves;
  RunAccounting accounting;
  // What of it could not be read; empty when all was.
  std::string missing;
};

// By run, from RUN_DIR/<run>/: the event files and metrics.rank<r>.jsonl of all ranks. A report
// is worth more than its curves, so this never fails: `missing` says what could not be read.
std::map<std::string, RunRecords> ReadRecords(FileSystem& files, const std::string& run_dir,
                                              const v1::PlanConfig& plan);

// One page that needs nothing else: styles, the script that draws and the curves are in it, a
// curve of a long run as some 400 means. XML but for its doctype, so that XML tools read it too.
// Light or dark as the reader's system is; without scripts all but the curves is there.
std::string RenderHtml(const v1::Report& report, const std::vector<std::string>& run_order,
                       const std::map<std::string, RunRecords>& records);

}  // namespace distill

#endif  // CLI_REPORT_HTML_REPORT_H_
