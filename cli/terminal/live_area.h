// Lines at the end of a terminal that are written over again and again. Pure: it makes
// the bytes to write.
#ifndef CLI_TERMINAL_LIVE_AREA_H_
#define CLI_TERMINAL_LIVE_AREA_H_

#include <string>
#include <vector>

namespace distill {

// Thread-compatible. The cursor rests in the first column below the area.
//
//   LiveArea area;
//   terminal.Write(area.Frame({"one", "two"}, 80));
//   terminal.Write(area.Frame({"three"}, 80));        // in place of both
//   terminal.Write(area.Above("a message", 80));      // stays, the area goes on below
class LiveArea {
 public:
  // Replaces the last frame. `columns`: of the terminal now; lines of the last frame that
  // were wider have been wrapped by it. The new ones must not be wider, and there must be
  // fewer of them than the terminal has rows.
  std::string Frame(const std::vector<std::string>& lines, int columns);

  // A line of any length that stays above the area.
  std::string Above(const std::string& line, int columns);

 private:
  // Back to the first column of the first line.
  std::string Home(int columns) const;
  std::string Draw() const;

  std::vector<std::string> lines_;
};

}  // namespace distill

#endif  // CLI_TERMINAL_LIVE_AREA_H_
