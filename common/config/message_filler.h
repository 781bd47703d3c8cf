// Fills a protobuf message from a YAML node by reflection. Internal to this room:
// the one place, with its callers here, that sees YAML nodes.
#ifndef COMMON_CONFIG_MESSAGE_FILLER_H_
#define COMMON_CONFIG_MESSAGE_FILLER_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/position_map.h"
#include "common/status/error_catalogue.h"

namespace distill {

// The fields of a message, in order of declaration.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor* descriptor);

class MessageFiller {
 public:
  // Positions are those of nodes in `file`, or, with `fixed`, always that one
  // position. Problems are appended to `problems` with "position: " already before
  // the text. All pointers must outlive this object.
  MessageFiller(std::string file, bool fixed, int max_depth, int max_nodes, PositionMap* positions,
                std::vector<std::string>* problems);

  // Fills what `node` names; goes on after a problem. May throw YAML::Exception.
  void FillMessage(const YAML::Node& node, const std::string& path,
                   google::protobuf::Message* message);
  // Fills one field. A map or repeated field must be empty before.
  void FillField(const YAML::Node& node, const std::string& path,
                 const google::protobuf::FieldDescriptor* field,
                 google::protobuf::Message* message);
  // Of the first problem; nothing while there is none.
  std::optional<ErrorId> first_problem() const { return first_problem_; }

  // Fills one element that `message` already has in a repeated field.
  void SetElement(const YAML::Node& node, const std::string& path,
                  const google::protobuf::FieldDescriptor* field, int index,
                  google::protobuf::Message* message);

 private:
  void FillMap(const YAML::Node& node, const std::string& path,
               const google::protobuf::FieldDescriptor* field, google::protobuf::Message* message);
  void FillRepeated(const YAML::Node& node, const std::string& path,
                    const google::protobuf::FieldDescriptor* field,
                    google::protobuf::Message* message);
  // index < 0: a singular field, -2: append to a repeated one.
  void FillScalar(const YAML::Node& node, const std::string& path,
                  const google::protobuf::FieldDescriptor* field, int index,
                  google::protobuf::Message* message);
  bool Enter(const YAML::Node& node, const std::string& path);
  void Problem(const YAML::Node& node, const std::string& path, std::string_view message,
               ErrorId id = ErrorId::kIllTypedValue);
  SourcePosition Position(const YAML::Node& node) const;

  const std::string file_;
  const bool fixed_;
  const int max_depth_;
  int nodes_left_;
  int depth_ = 0;
  PositionMap* const positions_;
  std::vector<std::string>* const problems_;
  std::optional<ErrorId> first_problem_;
};

}  // namespace distill

#endif  // COMMON_CONFIG_MESSAGE_FILLER_H_
