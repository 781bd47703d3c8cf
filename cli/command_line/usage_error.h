// Which error it is when CLI11 cannot take a command line.
#ifndef CLI_COMMAND_LINE_USAGE_ERROR_H_
#define CLI_COMMAND_LINE_USAGE_ERROR_H_

#include <string_view>

#include "common/status/error_catalogue.h"

namespace distill {

// `name` is CLI::Error::get_name().
ErrorId UsageErrorId(std::string_view name);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_USAGE_ERROR_H_
