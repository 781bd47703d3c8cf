// The catalogue of errors as people and scripts read it: `distillctl explain` and
// docs/errors.md. Functions without state: thread-safe.
#ifndef CLI_ERRORS_ERROR_REFERENCE_H_
#define CLI_ERRORS_ERROR_REFERENCE_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "common/status/error_catalogue.h"

namespace distill {

// The row of "DST-1101", "dst-1101" or "1101". INVALID_ARGUMENT with the nearest id.
absl::StatusOr<ErrorEntry> FindErrorByName(const std::string& name);

// For people: the id and what it means, causes, what to do, where the page has it.
std::string ErrorText(const ErrorEntry& entry);
// One line each of at most `width` columns, below the names of the groups where `headers`.
std::string ErrorListText(std::span<const ErrorEntry> entries, int width, bool headers);
// An id a line.
std::string ErrorNames(std::span<const ErrorEntry> entries);
// {"version": 1, "errors": [{id, group, meaning, causes, what_to_do, page}]}, pretty-printed.
std::string ErrorsJson(std::span<const ErrorEntry> entries);
// docs/errors.md.
std::string ErrorsPage(std::span<const ErrorEntry> entries);

}  // namespace distill

#endif  // CLI_ERRORS_ERROR_REFERENCE_H_
