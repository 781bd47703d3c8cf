#include "cli/commands/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "cli/errors/failure_text.h"
#include "cli/process/process_flags.h"
#include "common/lifecycle/descriptor_wait.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

// Of the first write to stdout that failed; 0: none did. Confined to whoever holds stdout's lock.
int output_errno = 0;

// A byte, or nothing at the end of `input` or once `wait` is over.
std::optional<char> ReadByte(int input, DescriptorWait& wait) {
  while (wait.For(input) == DescriptorWait::Result::kReady) {
    char byte = 0;
    const ssize_t got = read(input, &byte, 1);
    if (got == 1) return byte;
    if (got == 0 || errno != EINTR) break;
  }
  return std::nullopt;
}

}  // namespace

void Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

void Print(const std::string& text) {
  flockfile(stdout);
  errno = 0;
  const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!written && output_errno == 0) output_errno = errno != 0 ? errno : EIO;
  funlockfile(stdout);
}

void PrintLine(const std::string& line) { Print(absl::StrCat(line, "\n")); }

ExitCode EndOfOutput(ExitCode code) {
  Print("");
  // Who closed the pipe has seen what it wanted.
  if (output_errno == 0 || output_errno == EPIPE || code != ExitCode::kDone) return code;
  const absl::Status lost = absl::DataLossError(
      absl::StrCat("what was to go to stdout is not all there: ", strerror(output_errno),
                   "; give the command a stdout that takes it all"));
  return Fail(output_errno == ENOSPC || output_errno == EDQUOT
                  ? WithErrorId(lost, ErrorId::kDiskFull)
                  : lost);
}

ExitCode Fail(const absl::Status& status, std::optional<ExitCode> code) {
  const ExitCode chosen = code.value_or(ExitCodeOf(status));
  Say(FailureText(WithSomeId(status, chosen), chosen));
  return chosen;
}

ExitCode Finish(const Outcome& outcome) {
  if (!outcome.message.empty()) Say(FailureText(outcome.message, outcome.code));
  return outcome.code;
}

std::optional<std::string> Ask(int input, const std::string& prompt, ShutdownSignal& shutdown) {
  std::fputs(prompt.c_str(), stderr);
  std::fflush(stderr);
  DescriptorWait wait(&shutdown);
  std::string line;
  while (const std::optional<char> byte = ReadByte(input, wait)) {
    if (*byte == '\n') return line;
    line.push_back(*byte);
  }
  std::fputs("\n", stderr);  // what comes next begins a line
  return std::nullopt;
}

}  // namespace distill
