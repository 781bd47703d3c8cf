#include "cli/commands/watch_commands.h"

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/commands/console.h"
#include "cli/commands/coordinator_access.h"
#include "cli/commands/following.h"
#include "cli/commands/plan_display.h"
#include "cli/commands/yaml_text.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/progress/live_table.h"
#include "cli/progress/progress.h"
#include "cli/progress/run_trends.h"
#include "cli/report/live_verdict.h"
#include "cli/run_directory/run_directory.h"
#include "cli/terminal/color.h"

namespace distill {
namespace {

// Of watch and top.
ExitCode SayDone(const CommandTools& tools, const std::string& run_dir, bool json) {
  const RunDirectory directory(tools.files, run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  PrintLine(json ? DoneUpdateJson(*plan, directory.FilePath("report.json"))
                 : DoneText(plan->name(), directory.FilePath("report.md")));
  return ExitCode::kDone;
}

// Of watch and top: without a coordinator that was named.
bool IsDoneHere(const CommandTools& tools, const std::string& run_dir,
                const std::string& coordinator) {
  return !run_dir.empty() && coordinator.empty() && RunDirectory(tools.files, run_dir).IsDone();
}

Followed WhoIsFollowed(const std::string& address, const std::string& run_dir,
                       const std::string& coordinator) {
  return {address, run_dir, /*started_by_hand=*/!coordinator.empty()};
}

// Empty where the plan's files are not here.
std::function<std::string(const v1::PlanStatus&)> VerdictOf(const CommandTools& tools,
                                                            const std::string& run_dir) {
  if (run_dir.empty()) return nullptr;
  const auto plan = RunDirectory(tools.files, run_dir).ReadPlan();
  if (!plan.ok()) return nullptr;
  auto verdict = std::make_shared<LiveVerdict>(tools.files, tools.clock, run_dir, *plan);
  return [verdict](const v1::PlanStatus& status) { return verdict->Of(status); };
}

void PrintTable(const CommandTools& tools, const v1::PlanStatus& status,
                const StatusCommand& command) {
  LiveTableOptions options;
  options.wide = command.output.form == OutputForm::kWide;
  options.headers = command.output.headers;
  options.width = options.wide ? kUncut : ColumnsOf(*tools.standard_output);
  options.height = kUncut;
  if (options.headers) options.sentence = status.message();
  options.color = UsesColor(command.color, tools.standard_output->IsLive(), tools.environment);
  RunTrends trends;
  trends.Add(status);
  for (const std::string& line : LiveTable(status, trends, options)) PrintLine(line);
}

// `json` of the same, for scripts.
void PrintStatus(const CommandTools& tools, const v1::PlanStatus& status, const std::string& json,
                 const StatusCommand& command) {
  switch (command.output.form) {
    case OutputForm::kTable:
    case OutputForm::kWide:
      return PrintTable(tools, status, command);
    case OutputForm::kJson:
      return Print(json);
    case OutputForm::kYaml:
      return Print(YamlText(json));
    case OutputForm::kName:
      return Print(StatusNames(status));
    case OutputForm::kMarkdown:  // not of status
      break;
  }
}

// One table, for a pipe or a file.
ExitCode PrintFleet(const CommandTools& tools, const TopCommand& command,
                    const std::string& address) {
  const auto client = Connect(tools, address);
  if (!client.ok()) return Fail(client.status());
  const auto status = (*client)->GetPlan();
  if (!status.ok()) return Fail(status.status());
  RunTrends trends;
  trends.Add(*status);
  LiveTableOptions options;
  options.width = kUncut;
  options.height = kUncut;
  options.fleet_first = true;
  options.color = UsesColor(command.color, false, tools.environment);
  for (const std::string& line : LiveTable(*status, trends, options)) PrintLine(line);
  const auto verdict = VerdictOf(tools, command.run_dir);
  if (const std::string sentence = verdict ? verdict(*status) : ""; !sentence.empty()) {
    PrintLine(sentence);
  }
  return ExitCode::kDone;
}

}  // namespace

ExitCode ShowStatus(const CommandTools& tools, const StatusCommand& command) {
  const RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  const auto show_done = [&] {
    v1::PlanStatus done = DoneStatus(*plan);
    done.set_message(absl::StrCat("see ", directory.FilePath("report.md")));
    PrintStatus(tools, done, DoneJson(*plan, directory.FilePath("report.json")), command);
    return ExitCode::kDone;
  };
  if (IsDoneHere(tools, command.run_dir, command.coordinator)) return show_done();
  if (command.coordinator.empty()) {
    const auto left = directory.ReadLastStatus();
    if (left.ok()) {
      const v1::PlanStatus status = AsPlanStatus(*left);
      PrintStatus(tools, status, StatusJson(status), command);
      return ExitCode::kDone;
    }
    if (!absl::IsNotFound(left.status())) return Fail(left.status());
  }
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  const auto client = Connect(tools, *address);
  if (!client.ok()) return Fail(client.status());
  const auto status = (*client)->GetPlan();
  if (!status.ok()) {
    // Its end may have come meanwhile.
    if (IsDoneHere(tools, command.run_dir, command.coordinator)) return show_done();
    return Fail(status.status());
  }
  const absl::Status same = CheckIsPlanOf(*status, *plan, directory, *address);
  if (!same.ok()) return Fail(same);
  PrintStatus(tools, *status, StatusJson(*status), command);
  return ExitCode::kDone;
}

ExitCode WatchPlan(const CommandTools& tools, const WatchCommand& command) {
  if (IsDoneHere(tools, command.run_dir, command.coordinator)) {
    return SayDone(tools, command.run_dir, command.json);
  }
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  const Followed followed = WhoIsFollowed(*address, command.run_dir, command.coordinator);
  if (command.json) {
    PlanDisplay display(tools.clock, PrintLine, Say);
    return FollowToItsEnd(tools, followed, display.view());
  }
  LiveViewOptions options;
  options.color = UsesColor(command.color, tools.standard_output->IsLive(), tools.environment);
  PlanDisplay display(tools.standard_output, tools.clock, options, PrintLine);
  return FollowToItsEnd(tools, followed, display.view());
}

ExitCode ShowTop(const CommandTools& tools, const TopCommand& command) {
  if (IsDoneHere(tools, command.run_dir, command.coordinator)) {
    return SayDone(tools, command.run_dir, command.json);
  }
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  const Followed followed = WhoIsFollowed(*address, command.run_dir, command.coordinator);
  if (command.json) {
    PlanDisplay display(tools.clock, PrintLine, Say);
    return FollowToItsEnd(tools, followed, display.view());
  }
  if (!tools.standard_output->IsLive()) return PrintFleet(tools, command, *address);
  LiveViewOptions options;
  options.color = UsesColor(command.color, true, tools.environment);
  options.fleet_first = true;
  options.sentence = VerdictOf(tools, command.run_dir);
  PlanDisplay display(tools.standard_output, tools.clock, options, PrintLine);
  return FollowToItsEnd(tools, followed, display.view());
}

}  // namespace distill
