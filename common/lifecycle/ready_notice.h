// Tells whoever started this process that it serves, over an inherited pipe.
#ifndef COMMON_LIFECYCLE_READY_NOTICE_H_
#define COMMON_LIFECYCLE_READY_NOTICE_H_

#include <string_view>

#include "absl/status/status.h"

namespace distill {

// Writes `line` and a newline to `fd`, then closes it. INVALID_ARGUMENT when fd
// is not an open descriptor or the line holds a newline: --ready-fd is wrong.
absl::Status NotifyReady(int fd, std::string_view line);

}  // namespace distill

#endif  // COMMON_LIFECYCLE_READY_NOTICE_H_
