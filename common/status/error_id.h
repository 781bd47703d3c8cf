// The stable id (error_catalogue.h) of a failed absl::Status: attached where the error is
// made, kept on the way up and over RPCs, printed behind the message.
#ifndef COMMON_STATUS_ERROR_ID_H_
#define COMMON_STATUS_ERROR_ID_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/status/error_catalogue.h"

namespace distill {

// The status with `id`; one that has an id keeps it, since who made the error knows best. OK
// stays OK.
absl::Status WithErrorId(absl::Status status, ErrorId id);

// Nothing for OK, and for an error that nobody gave an id.
std::optional<ErrorId> ErrorIdOf(const absl::Status& status);

// Another code or sentence for the same error: keeps its id.
absl::Status Reworded(const absl::Status& status, absl::StatusCode code, std::string_view message);

// "<message> [DST-1101]"; the message alone where it has no id, or names it itself. For texts that
// leave as text: StatusOfText and ErrorIdIn find the id in them again.
std::string MessageWithId(const absl::Status& status);
std::string TextWithId(std::string_view text, ErrorId id);

// The last "[DST-nnnn]" in a text that the catalogue has.
std::optional<ErrorId> ErrorIdIn(std::string_view text);

// The reverse of MessageWithId.
absl::Status StatusOfText(absl::StatusCode code, std::string_view text);

}  // namespace distill

#endif  // COMMON_STATUS_ERROR_ID_H_
