#include <unistd.h>

#include <climits>
#include <string>
#include <vector>

#include "cli/command_line/command_line.h"
#include "cli/commands/command_tools.h"
#include "cli/commands/commands.h"
#include "cli/commands/console.h"
#include "cli/terminal/posix_terminal.h"
#include "common/clock/clock.h"
#include "common/files/posix_file_system.h"
#include "common/lifecycle/shutdown_signal.h"

int main(int argc, char** argv) {
  distill::ShutdownSignal shutdown;
  distill::PosixFileSystem files;
  distill::SystemClock clock;
  distill::CommandTools tools;
  tools.environment = distill::EnvironmentOfProcess();
  distill::PosixTerminal standard_output(STDOUT_FILENO, tools.environment);
  distill::PosixTerminal standard_error(STDERR_FILENO, tools.environment);
  tools.standard_output = &standard_output;
  tools.standard_error = &standard_error;
  char self[PATH_MAX] = {};
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  tools.files = &files;
  tools.clock = &clock;
  tools.shutdown = &shutdown;
  tools.self = length > 0 ? std::string(self, length) : std::string(argv[0]);
  char working_directory[PATH_MAX] = {};
  if (getcwd(working_directory, sizeof(working_directory)) != nullptr) {
    tools.working_directory = working_directory;
  }
  if (isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0) {
    tools.ask = [&shutdown](const std::string& prompt) {
      return distill::Ask(STDIN_FILENO, prompt, shutdown);
    };
  }
  const distill::Command command =
      distill::ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  return static_cast<int>(distill::EndOfOutput(distill::Execute(tools, command)));
}
