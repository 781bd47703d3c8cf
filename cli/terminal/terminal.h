// A terminal that people look at.
#ifndef CLI_TERMINAL_TERMINAL_H_
#define CLI_TERMINAL_TERMINAL_H_

#include <functional>
#include <string_view>

namespace distill {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

// Thread-safe.
class Terminal {
 public:
  virtual ~Terminal() = default;

  // Whether what was written can be written over: not in a file, in a pipe, or where
  // TERM is dumb. All below is for live terminals, but Write.
  virtual bool IsLive() = 0;
  // As it is now.
  virtual TerminalSize Size() = 0;
  // All of it, in order; what the other end does not take any more is lost.
  virtual void Write(std::string_view text) = 0;

  // From then on the cursor is shown again however the process ends, but by SIGKILL.
  virtual void HideCursor() = 0;
  // Idempotent. May be called while a Write is stuck.
  virtual void ShowCursor() = 0;

  // Runs on a thread of the terminal after each change of its size. At most one, the
  // latest; null removes it: what it uses may go once this has returned.
  virtual void OnResize(std::function<void()> callback) = 0;
};

// More columns than any line has, and more rows than any table.
inline constexpr int kUncut = 1 << 20;

// What a line is cut to; nobody wants that in a pipe or a file.
inline int ColumnsOf(Terminal& terminal) {
  return terminal.IsLive() ? terminal.Size().columns : kUncut;
}

}  // namespace distill

#endif  // CLI_TERMINAL_TERMINAL_H_
