#include "cli/commands/answers.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/console.h"
#include "cli/commands/metrics_list.h"
#include "cli/completion/completion.h"
#include "cli/doctor/doctor.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/posix_machine.h"
#include "cli/errors/error_reference.h"
#include "cli/plan_reference/plan_reference.h"
#include "cli/version/version.h"
#include "common/config/nearest_name.h"
#include "common/metrics/catalogue.h"
#include "common/status/error_catalogue.h"
#include "common/status/error_id.h"

namespace distill {

ExitCode Answer(const CommandTools&, const MetricsListCommand& command) {
  Print(command.json       ? MetricsJson(Catalogue())
        : command.markdown ? MetricsMarkdown(Catalogue())
                           : MetricsText(Catalogue()));
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools&, const MetricsExplainCommand& command) {
  std::vector<std::string> names;
  for (const MetricRow& row : Catalogue()) {
    if (command.name == row.name) {
      Print(MetricsText({&row, 1}));
      return ExitCode::kDone;
    }
    names.emplace_back(row.name);
  }
  return Fail(
      WithErrorId(absl::InvalidArgumentError(absl::StrCat("there is no metric '", command.name, "'",
                                                          SuggestName(command.name, names))),
                  ErrorId::kUnknownErrorId),
      ExitCode::kUsage);
}

ExitCode Answer(const CommandTools&, const ExplainCommand& command) {
  std::vector<ErrorEntry> chosen(ErrorCatalogue().begin(), ErrorCatalogue().end());
  if (!command.id.empty()) {
    const auto entry = FindErrorByName(command.id);
    if (!entry.ok()) return Fail(entry.status(), ExitCode::kUsage);
    chosen = {*entry};
  }
  Print(command.json         ? ErrorsJson(chosen)
        : command.markdown   ? ErrorsPage(chosen)
        : command.id.empty() ? ErrorListText(chosen)
                             : ErrorText(chosen[0]));
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools& tools, const DoctorCommand& command) {
  PosixMachine machine(tools.clock);
  const auto findings =
      Examine(machine, *tools.files,
              {command.config, command.settings, command.run_dir, tools.self,
               tools.working_directory, [&] { return tools.shutdown->requested(); }});
  if (!findings.ok()) return Fail(findings.status(), ExitCode::kInterrupted);
  Print(command.json ? FindingsJson(*findings) : FindingsText(*findings));
  return NoneFailed(*findings) ? ExitCode::kDone : ExitCode::kRunFailed;
}

ExitCode Answer(const CommandTools&, const CommandReferenceCommand&) {
  Print(CommandPage());
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools&, const CompletionCommand& command) {
  Print(CompletionScript(command.shell));
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools& tools, const CompleteCommand& command) {
  for (const std::string& word : Completions(*tools.files, command.words)) Print(word + "\n");
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools&, const VersionCommand& command) {
  const ProgramVersion version = ThisVersion("distillctl", "");
  Print(command.json ? VersionJson(version) : VersionText(version));
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools&, const ConfigExplainCommand& command) {
  const auto text = ExplainField(command.field);
  if (!text.ok()) return Fail(text.status(), ExitCode::kUsage);
  Print(*text);
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools&, const ConfigReferenceCommand&) {
  Print(ConfigurationPage());
  return ExitCode::kDone;
}

}  // namespace distill
