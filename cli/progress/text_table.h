// A table that fits into so many columns. Pure.
#ifndef CLI_PROGRESS_TEXT_TABLE_H_
#define CLI_PROGRESS_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "cli/terminal/styled_text.h"

namespace distill {

struct TableColumn {
  std::string title;
  // Where there is no room the column with the greatest goes first. 0: never.
  int dropped = 0;
  bool right_aligned = false;
  // The last column only: takes what room is left, at least so many; its texts are cut.
  // 0: as wide as its widest text.
  int min_width = 0;
};

struct TableCell {
  std::string text;
  Style style = Style::kPlain;
};

struct TableRow {
  // One a column; printable (cli/terminal/styled_text.h). With a note: the first only.
  std::vector<TableCell> cells;
  // In place of the other cells, cut where it must be. Empty: none.
  TableCell note;
};

// The titles and the rows, a line each of at most `width` columns, without blanks at the
// end. What does not fit loses columns first; then the first column and the notes are cut.
// A column without any text is left out.
std::vector<std::string> LayOut(const std::vector<TableColumn>& columns,
                                const std::vector<TableRow>& rows, int width, bool color);

}  // namespace distill

#endif  // CLI_PROGRESS_TEXT_TABLE_H_
