#include "cli/terminal/color.h"

namespace distill {

bool UsesColor(ColorChoice choice, bool terminal, const TerminalEnvironment& environment) {
  switch (choice) {
    case ColorChoice::kAlways:
      return true;
    case ColorChoice::kNever:
      return false;
    case ColorChoice::kAuto:
      break;
  }
  return terminal && !environment.no_color && !environment.term.empty() &&
         environment.term != "dumb";
}

}  // namespace distill
