#include "cli/process/main.h"

#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "cli/errors/failure_text.h"
#include "cli/version/version.h"
#include "common/memory/malloc_tuning.h"

namespace distill {

int ProcessMain(ProcessKind kind, int argc, char** argv,
                const std::function<absl::Status(const ProcessFlags&, ShutdownSignal&)>& process,
                const std::string& libtorch) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (AnswerVersion(ProcessName(kind), libtorch, arguments)) {
    return static_cast<int>(ExitCode::kDone);
  }
  KeepFreedMemory();
  ShutdownSignal shutdown;
  const auto parsed = ParseProcessFlags(kind, arguments);
  if (const auto* exit = std::get_if<PrintAndExit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->code == ExitCode::kDone ? stdout : stderr);
    return static_cast<int>(exit->code);
  }
  const ProcessFlags& flags = std::get<ProcessFlags>(parsed);
  const absl::Status status = process(flags, shutdown);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", flags.name.c_str(),
                 WithSomeId(status, ExitCodeOf(status)).c_str());
  }
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace distill
