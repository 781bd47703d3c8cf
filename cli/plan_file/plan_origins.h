// Where the values of a plan come from, for people. Pure; thread-safe.
#ifndef CLI_PLAN_FILE_PLAN_ORIGINS_H_
#define CLI_PLAN_FILE_PLAN_ORIGINS_H_

#include <google/protobuf/message.h>

#include <string>

#include "common/config/position_map.h"

namespace distill {

// Where `written` has a zero that `resolved`, the same with its defaults, replaced: makes the
// origin of that value "default, for the 0 of file:line:column". Lists of `resolved` begin with
// the entries of `written`.
void NoteReplacedZeros(const google::protobuf::Message& written,
                       const google::protobuf::Message& resolved, PositionMap* origins);

// YAML that reads back to `plan`, zeros among it, and of empty texts those that were written. With
// `show_origins` each value has a comment: where it was written, or "default".
std::string ShowPlan(const google::protobuf::Message& plan, const PositionMap& origins,
                     bool show_origins);

}  // namespace distill

#endif  // CLI_PLAN_FILE_PLAN_ORIGINS_H_
