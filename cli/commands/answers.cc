#include "cli/commands/answers.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/console.h"
#include "cli/commands/metrics_list.h"
#include "cli/commands/yaml_text.h"
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

ExitCode Answer(const CommandTools& tools, const MetricsListCommand& command) {
  const auto all = Catalogue();
  switch (command.output.form) {
    case OutputForm::kTable:
      Print(MetricsTable(all, ColumnsOf(*tools.standard_output), false, command.output.headers));
      break;
    case OutputForm::kWide:
      Print(MetricsTable(all, kUncut, true, command.output.headers));
      break;
    case OutputForm::kJson:
      Print(MetricsJson(all));
      break;
    case OutputForm::kYaml:
      Print(YamlText(MetricsJson(all)));
      break;
    case OutputForm::kName:
      Print(MetricsNames(all));
      break;
    case OutputForm::kMarkdown:
      Print(MetricsMarkdown(all));
      break;
  }
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

ExitCode Answer(const CommandTools& tools, const ExplainCommand& command) {
  std::vector<ErrorEntry> chosen(ErrorCatalogue().begin(), ErrorCatalogue().end());
  if (!command.id.empty()) {
    const auto entry = FindErrorByName(command.id);
    if (!entry.ok()) return Fail(entry.status(), ExitCode::kUsage);
    chosen = {*entry};
  }
  const bool headers = command.output.headers;
  switch (command.output.form) {
    case OutputForm::kTable:
    case OutputForm::kWide: {
      const bool cut = command.output.form == OutputForm::kTable;
      const int width = cut ? ColumnsOf(*tools.standard_output) : kUncut;
      Print(command.id.empty() ? ErrorListText(chosen, width, headers) : ErrorText(chosen[0]));
      break;
    }
    case OutputForm::kJson:
      Print(ErrorsJson(chosen));
      break;
    case OutputForm::kYaml:
      Print(YamlText(ErrorsJson(chosen)));
      break;
    case OutputForm::kName:
      Print(ErrorNames(chosen));
      break;
    case OutputForm::kMarkdown:
      Print(ErrorsPage(chosen));
      break;
  }
  return ExitCode::kDone;
}

ExitCode Answer(const CommandTools& tools, const DoctorCommand& command) {
  PosixMachine machine(tools.clock);
  const auto findings = Examine(
      machine, *tools.files,
      {command.config, command.settings, command.run_dir, tools.self, tools.working_directory,
       command.models, [&] { return tools.shutdown->requested(); }});
  if (!findings.ok()) return Fail(findings.status(), ExitCode::kInterrupted);
  const OutputForm form = command.output.form;
  Print(form == OutputForm::kJson   ? FindingsJson(*findings)
        : form == OutputForm::kYaml ? YamlText(FindingsJson(*findings))
                                    : FindingsText(*findings));
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
