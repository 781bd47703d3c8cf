// Shows below each problem of a plan the line it stands in, and where.
#ifndef CLI_PLAN_FILE_CARETS_H_
#define CLI_PLAN_FILE_CARETS_H_

#include <string>
#include <string_view>

namespace distill {

// Behind each line of `problems` that begins with "<path>:LINE:COLUMN: ", that line of `text`
// and a '^' below the column. Long lines are cut around it.
std::string WithCarets(std::string_view problems, std::string_view path, std::string_view text);

}  // namespace distill

#endif  // CLI_PLAN_FILE_CARETS_H_
