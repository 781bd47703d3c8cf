// How a failure is printed: its message, its id, and where more of it stands.
#ifndef CLI_ERRORS_FAILURE_TEXT_H_
#define CLI_ERRORS_FAILURE_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cli/command_line/command_line.h"
#include "common/status/error_id.h"

namespace distill {

// The id of an error that has none of its own, by how the command ends. Not for kDone.
ErrorId GeneralErrorId(ExitCode code);

// `message`, closed by the general id unless an id stands in it already.
std::string WithSomeId(std::string_view message, ExitCode code);
// The message of a failed status with its own id, or else as above, but that what is used up
// is the machine's.
std::string WithSomeId(const absl::Status& status, ExitCode code);

// Why the process `name` was lost, in what `how` says ("s was killed by SIGKILL"), with the end of
// its log, which lies at `path`. The id stands last, where FailureText looks for it: `id`, unless
// the process `told` one itself at the end of its log. What else stands there may be of an
// earlier start.
std::string LossText(const std::string& name, const std::string& how, ErrorId id, bool told,
                     const std::string& path, const std::string& log_end);

// What distillctl says last: "distillctl: <message with some id>", and a line that names the
// command which explains it. Without a newline at the end.
std::string FailureText(std::string_view message, ExitCode code);

}  // namespace distill

#endif  // CLI_ERRORS_FAILURE_TEXT_H_
