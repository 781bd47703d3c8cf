// RETURN_IF_ERROR and ASSIGN_OR_RETURN: pass a failed absl::Status up. The
// Abseil of Debian 12 has no status_macros.h of its own.
#ifndef COMMON_STATUS_STATUS_MACROS_H_
#define COMMON_STATUS_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define DISTILL_STATUS_CONCAT_INNER_(a, b) a##b
#define DISTILL_STATUS_CONCAT_(a, b) DISTILL_STATUS_CONCAT_INNER_(a, b)

// Returns the status of `expression` from the enclosing function if it failed.
#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): declares or assigns x, or returns F's status.
#define ASSIGN_OR_RETURN(lhs, expression) \
  ASSIGN_OR_RETURN_IMPL_(DISTILL_STATUS_CONCAT_(status_or_, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_IMPL_(status_or, lhs, expression)   \
  auto status_or = (expression);                             \
  if (!status_or.ok()) return std::move(status_or).status(); \
  lhs = *std::move(status_or)

#endif  // COMMON_STATUS_STATUS_MACROS_H_
