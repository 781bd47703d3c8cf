#include "cli/process/main.h"

#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "common/memory/malloc_tuning.h"

namespace distill {

int ProcessMain(ProcessKind kind, int argc, char** argv,
                const std::function<absl::Status(const ProcessFlags&, ShutdownSignal&)>& process) {
  KeepFreedMemory();
  ShutdownSignal shutdown;
  const auto parsed = ParseProcessFlags(kind, std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* exit = std::get_if<PrintAndExit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->code == ExitCode::kDone ? stdout : stderr);
    return static_cast<int>(exit->code);
  }
  const ProcessFlags& flags = std::get<ProcessFlags>(parsed);
  const absl::Status status = process(flags, shutdown);
  if (!status.ok()) {
    const std::string message(status.message());
    std::fprintf(stderr, "%s: %s\n", flags.name.c_str(), message.c_str());
  }
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace distill
