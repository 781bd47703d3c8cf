// What `--dry-run` prints: what a command would start, contact and write. Pure.
#ifndef CLI_COMMANDS_DRY_RUN_H_
#define CLI_COMMANDS_DRY_RUN_H_

#include <string>
#include <vector>

#include "cli/command_line/command_line.h"
#include "cli/label_recording/recording_plan.h"
#include "cli/local_run/model_comparison.h"
#include "cli/run_directory/run_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// `distillctl run` with processes here.
std::string DryRunHere(const v1::PlanConfig& plan, const Programs& programs,
                       const std::string& run_dir);
// `distillctl run --coordinator`.
std::string DryRunElsewhere(const v1::PlanConfig& plan, const Programs& programs,
                            const std::string& coordinator, const std::string& run_dir);
// `done`: the plan was run here to its end, and its report is there.
std::string DryResume(const v1::PlanConfig& plan, const Programs& programs,
                      const std::string& run_dir, bool done);
// `distillctl resume` of a plan that a coordinator elsewhere has.
std::string DryResumeElsewhere(const v1::PlanConfig& plan, const Programs& programs,
                               const std::string& coordinator, const std::string& run_dir);
// `processes`: what the run directory lists. `coordinator`: as of StopCommand.
std::string DryStop(const v1::PlanConfig& plan, const std::vector<ProcessEntry>& processes,
                    const std::string& coordinator, const std::string& run_dir);
std::string DryLabel(const LabelCommand& command, const v1::PlanConfig& plan,
                     const RecordingPlan& recording, const Programs& programs);
// Of the model directory `folder`.
std::string DryManifest(const std::string& folder);

}  // namespace distill

#endif  // CLI_COMMANDS_DRY_RUN_H_
