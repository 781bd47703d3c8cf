// The cursor of a terminal, hidden, and shown again however the process ends.
#ifndef CLI_TERMINAL_CURSOR_GUARD_H_
#define CLI_TERMINAL_CURSOR_GUARD_H_

namespace distill {

// Hides the cursor of the terminal behind `fd`, and has it shown again before a signal ends or
// stops the process: SIGSEGV, SIGABRT and their like, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP; those
// that are ignored stay ignored. Of one terminal a process at a time. Not SIGINT and SIGTERM:
// see PosixTerminal. Installs the handlers once, with the first call.
void HideCursorUntilExit(int fd);

// Thread-safe and async-signal-safe; idempotent.
void ShowCursorAgain();

}  // namespace distill

#endif  // CLI_TERMINAL_CURSOR_GUARD_H_
