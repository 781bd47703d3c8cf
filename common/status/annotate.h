// Adds to a failed status which thing it was about, once, where that is known.
#ifndef COMMON_STATUS_ANNOTATE_H_
#define COMMON_STATUS_ANNOTATE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace distill {

// "<context>: <message>", same code. An OK status is returned as it is.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace distill

#endif  // COMMON_STATUS_ANNOTATE_H_
