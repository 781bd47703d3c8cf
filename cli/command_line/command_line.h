// What the user asked of distillctl.
#ifndef CLI_COMMAND_LINE_COMMAND_LINE_H_
#define CLI_COMMAND_LINE_COMMAND_LINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/command_line/completion_point.h"
#include "cli/command_line/model_flags.h"
#include "cli/command_line/output_flags.h"
#include "cli/terminal/color.h"

namespace distill {

// Exit codes of distillctl and, where they apply, of every process.
enum class ExitCode {
  kDone = 0,
  kRunFailed = 1,
  kUsage = 2,
  kConfiguration = 3,
  kUnreachable = 4,
  kRefused = 5,
  kPreempted = 6,  // after a checkpoint: resumable
  kData = 7,
  kInterrupted = 130,
};

struct RunCommand {
  std::string config;
  std::string run_dir;
  // "field=value", applied in order over the file.
  std::vector<std::string> settings;
  std::optional<uint64_t> seed;
  // Submit to this coordinator and watch; only what compares the models at the end runs here.
  std::string coordinator;
  ColorChoice color = ColorChoice::kAuto;
  // Of the processes that are started here.
  ModelFlags models;
  // Here and below: say what would be done, and change nothing.
  bool dry_run = false;
};
struct ResumeCommand {
  std::string run_dir;
  // Of processes that were started by hand; empty: they are started here, unless the directory
  // says whom the plan was submitted to.
  std::string coordinator;
  ColorChoice color = ColorChoice::kAuto;
  // As of RunCommand.
  ModelFlags models;
  bool dry_run = false;
};
struct StopCommand {
  std::string run_dir;
  // Ask nobody; without a terminal there is nobody to ask.
  bool yes = false;
  bool dry_run = false;
  // Of processes that were started by hand; empty: what runs on this machine.
  std::string coordinator;
};
struct StatusCommand {
  std::string run_dir;
  OutputFlags output;
  ColorChoice color = ColorChoice::kAuto;
  // As of StopCommand.
  std::string coordinator;
};
struct LabelCommand {
  std::string config;
  std::vector<std::string> settings;
  std::optional<uint64_t> seed;
  std::string run;
  // May be empty for a run with one teacher.
  std::string role;
  // Of the plan in which the teacher was trained.
  std::string run_dir;
  std::string out;
  // host:port of teacher servers that run already; empty: starts some here.
  std::vector<std::string> teachers;
  // 0: as the plan has them.
  int teacher_servers = 0;
  int threads = 0;
  uint32_t block_rows = 64;
  // Of the teacher servers that are started here.
  ModelFlags models;
  bool dry_run = false;
};
struct DigestCommand {
  // DIR or DIR/RUN.
  std::string path;
};
struct ConfigShowCommand {
  std::string config;
  std::vector<std::string> settings;
  // Say of each value where it comes from.
  bool origin = false;
};
struct ConfigValidateCommand {
  std::string config;
  std::vector<std::string> settings;
};
struct MetricsListCommand {
  OutputFlags output;
};
struct MetricsExplainCommand {
  std::string name;
};
struct ConfigExplainCommand {
  // A path, or the end of one; empty: the top level.
  std::string field;
};
struct ConfigReferenceCommand {};
struct ModelManifestCommand {
  // A model directory.
  std::string dir;
  bool dry_run = false;
};

struct WatchCommand {
  // One of both, or both.
  std::string run_dir;
  std::string coordinator;
  bool json = false;
  ColorChoice color = ColorChoice::kAuto;
};
struct TopCommand {
  // As of WatchCommand.
  std::string run_dir;
  std::string coordinator;
  bool json = false;
  ColorChoice color = ColorChoice::kAuto;
};
struct LogsCommand {
  std::string run_dir;
  // Empty: all.
  std::string process;
  bool follow = false;
  std::optional<size_t> tail;
};
struct ExplainCommand {
  // "DST-1101"; empty: all.
  std::string id;
  OutputFlags output;
};
struct DoctorCommand {
  // Empty: without a plan.
  std::string config;
  std::vector<std::string> settings;
  // Where a plan's results would go.
  std::string run_dir = ".";
  // With which the processes would be started.
  ModelFlags models;
  OutputFlags output;
};
struct CommandReferenceCommand {};
struct CompletionCommand {
  std::string shell;
};
// What a completion script asks: the words after the program's name, unquoted, the last one up
// to the cursor.
struct CompleteCommand {
  std::vector<std::string> words;
};
struct VersionCommand {
  bool json = false;
};

// Nothing to do but print: help and version on stdout with exit code 0, a usage
// error on stderr with exit code 2.
struct PrintAndExit {
  std::string text;
  ExitCode code = ExitCode::kDone;
};

using Command =
    std::variant<RunCommand, ResumeCommand, StopCommand, StatusCommand, LabelCommand, DigestCommand,
                 ConfigShowCommand, ConfigValidateCommand, ConfigExplainCommand,
                 ConfigReferenceCommand, MetricsListCommand, MetricsExplainCommand, WatchCommand,
                 TopCommand, LogsCommand, ModelManifestCommand, ExplainCommand, DoctorCommand,
                 CommandReferenceCommand, CompletionCommand, CompleteCommand, VersionCommand,
                 PrintAndExit>;

// `arguments` without the program's name. Every usage error is a PrintAndExit
// that names the nearest command or flag.
Command ParseCommandLine(const std::vector<std::string>& arguments);

// docs/commands.md: what --help prints of each command.
std::string CommandPage();

// `words` as of CompleteCommand.
CompletionPoint FindCompletionPoint(const std::vector<std::string>& words);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_COMMAND_LINE_H_
