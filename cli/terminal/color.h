// Whether to use colour. Pure.
#ifndef CLI_TERMINAL_COLOR_H_
#define CLI_TERMINAL_COLOR_H_

#include <string>

namespace distill {

// --color.
enum class ColorChoice { kAuto, kAlways, kNever };

// What a process was told of its terminal.
struct TerminalEnvironment {
  // NO_COLOR is set and not empty (https://no-color.org).
  bool no_color = false;
  // TERM; empty where it is not set.
  std::string term;
};

// `terminal`: whether the output is one. kAuto: only on a terminal that is not dumb, and
// not with NO_COLOR.
bool UsesColor(ColorChoice choice, bool terminal, const TerminalEnvironment& environment);

}  // namespace distill

#endif  // CLI_TERMINAL_COLOR_H_
