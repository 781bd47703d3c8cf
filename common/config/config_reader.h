// Reads a protobuf message from YAML or JSON (which is YAML), strictly, and changes
// single fields of it. Field names are those of the proto. The only place where
// yaml-cpp's exceptions are caught. Functions without state: thread-safe.
#ifndef COMMON_CONFIG_CONFIG_READER_H_
#define COMMON_CONFIG_CONFIG_READER_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "common/config/position_map.h"

namespace distill {

struct ConfigLimits {
  size_t max_bytes = 1 << 20;
  int max_depth = 32;
  // Values visited, so that aliases cannot blow a small file up.
  int max_values = 100000;
};

// Fills `message`, which should be empty, from `text`; `file` names it in messages.
// Also records where each field was written, for checks that come later.
//
// INVALID_ARGUMENT with all problems at once (at most 100), each a line
// "file:line:column: path: message": an unknown field (with the nearest name), a
// value of another type, an integer out of range, a field given twice, an unknown
// enum value (with the choices), two fields of one oneof. A syntax error ends the
// reading and is then the only one. After an error `message` is half filled: drop it.
absl::Status ParseConfig(std::string_view text, std::string_view file,
                         google::protobuf::Message* message, PositionMap* positions,
                         const ConfigLimits& limits = {});

// Applies "path=value", as --set has it: "runs.distilled.training.steps=100". A
// repeated message is entered by index ("runs.2" or "runs[2]") or by its field
// `name`; a map by its key. The value is YAML ("[1, 2]" and "{a: 1}" work) and
// replaces what was there. Positions of what it sets become "--set path=value".
// INVALID_ARGUMENT, naming the setting; `message` and `positions` are then as before.
absl::Status ApplySetting(std::string_view setting, google::protobuf::Message* message,
                          PositionMap* positions, const ConfigLimits& limits = {});

}  // namespace distill

#endif  // COMMON_CONFIG_CONFIG_READER_H_
