// Writes a protobuf message as YAML that ParseConfig reads back to an equal message.
#ifndef COMMON_CONFIG_CONFIG_WRITER_H_
#define COMMON_CONFIG_CONFIG_WRITER_H_

#include <google/protobuf/message.h>

#include <string>

namespace distill {

// Fields that are set, in order of declaration; map entries sorted by key; numbers
// in the fewest digits that give the same value. Equal messages give equal text.
// Not readable back: bytes, numbers that are not finite, and an element of value 0
// in a list of enums, none of which ParseConfig lets in. Thread-safe.
std::string RenderYaml(const google::protobuf::Message& message);

}  // namespace distill

#endif  // COMMON_CONFIG_CONFIG_WRITER_H_
