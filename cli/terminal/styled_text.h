// Text for a terminal of some width. Pure.
#ifndef CLI_TERMINAL_STYLED_TEXT_H_
#define CLI_TERMINAL_STYLED_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace distill {

// What a colour means; the text has to say it too.
enum class Style { kPlain, kTitle, kFaint, kGood, kWarning, kBad };

// The text between escape sequences; as it is where `color` is false.
std::string Paint(std::string_view text, Style style, bool color);

// One line of printable ASCII, which takes as many columns as it has characters: a
// character that is none becomes '?', a line break or a tab a blank. What other
// processes say is shown through this, so that it cannot command the terminal.
std::string Printable(std::string_view text);

// At most `columns` characters of printable text, with ".." at the end where some are missing.
std::string Cut(std::string_view text, int columns);

// Printable text in lines of at most `columns` characters, one at least, broken between words where
// it can be; the last of `most` lines is what is left, as of Cut. No line for no text.
std::vector<std::string> Wrap(std::string_view text, int columns, int most);

// Columns that a painted line takes.
int VisibleWidth(std::string_view painted);

}  // namespace distill

#endif  // CLI_TERMINAL_STYLED_TEXT_H_
