// Writes a protobuf message as YAML that ParseConfig reads back to an equal message.
#ifndef COMMON_CONFIG_CONFIG_WRITER_H_
#define COMMON_CONFIG_CONFIG_WRITER_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>

namespace distill {

// Fields that are set, in order of declaration; map entries sorted by key; numbers
// in the fewest digits that give the same value. Equal messages give equal text.
// Not readable back: bytes, numbers that are not finite, and an element of value 0
// in a list of enums, none of which ParseConfig lets in. Thread-safe.
std::string RenderYaml(const google::protobuf::Message& message);

// What else is written; both may be empty. Paths are those of PositionMap.
struct YamlNotes {
  // Put behind a value (of a scalar field, or a list of scalars) as a comment.
  std::function<std::string(const std::string& path)> comment;
  // Whether a scalar field that holds zero, as if it were not set, is written too.
  std::function<bool(const google::protobuf::FieldDescriptor& field, const std::string& path)>
      show_zero;
};
std::string RenderYaml(const google::protobuf::Message& message, const YamlNotes& notes);

}  // namespace distill

#endif  // COMMON_CONFIG_CONFIG_WRITER_H_
