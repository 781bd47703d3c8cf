#include "common/config/config_writer.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/position_map.h"

namespace distill {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kSingular = -1;

template <typename Number>
std::string Shortest(Number value) {
  char text[64];
  const auto result = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, result.ptr);
}

#define DISTILL_GET(Type)                                     \
  (index == kSingular ? reflection->Get##Type(message, field) \
                      : reflection->GetRepeated##Type(message, field, index))

std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(DISTILL_GET(Int32));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(DISTILL_GET(Int64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(DISTILL_GET(UInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(DISTILL_GET(UInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Shortest(DISTILL_GET(Double));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Shortest(DISTILL_GET(Float));
    case FieldDescriptor::CPPTYPE_BOOL:
      return DISTILL_GET(Bool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return DISTILL_GET(Enum)->name();
    default:
      return DISTILL_GET(String);
  }
}

#undef DISTILL_GET

class Writer {
 public:
  Writer(const YamlNotes& notes, YAML::Emitter* out) : notes_(notes), out_(*out) {}

  void EmitMessage(const Message& message, const std::string& path) {
    const std::vector<const FieldDescriptor*> fields = Fields(message, path);
    if (fields.empty()) out_ << YAML::Flow;
    out_ << YAML::BeginMap;
    for (const FieldDescriptor* field : fields) {
      const std::string child = ChildPath(path, field->name());
      out_ << YAML::Key << field->name() << YAML::Value;
      if (field->is_map()) {
        EmitMap(message, field, child);
      } else if (field->is_repeated()) {
        EmitList(message, field, child);
      } else {
        EmitValue(message, field, kSingular, child);
      }
    }
    out_ << YAML::EndMap;
  }

 private:
  // Those that are written, in order of declaration.
  std::vector<const FieldDescriptor*> Fields(const Message& message, const std::string& path) {
    std::vector<const FieldDescriptor*> fields;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      const bool set = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) > 0
                                            : message.GetReflection()->HasField(message, field);
      const bool plain = !field->is_repeated() && !field->has_presence();
      if (set ||
          (plain && notes_.show_zero && notes_.show_zero(*field, ChildPath(path, field->name())))) {
        fields.push_back(field);
      }
    }
    return fields;
  }

  void EmitValue(const Message& message, const FieldDescriptor* field, int index,
                 const std::string& path) {
    const Reflection* reflection = message.GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return EmitMessage(index == kSingular ? reflection->GetMessage(message, field)
                                            : reflection->GetRepeatedMessage(message, field, index),
                         path);
    }
    const std::string text = ScalarText(message, field, index);
    const bool quoted = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
                        text.find_first_of("\n\t") != std::string::npos;
    if (quoted) out_ << YAML::DoubleQuoted;
    out_ << text;
    if (index == kSingular) EmitComment(path);
  }

  void EmitMap(const Message& message, const FieldDescriptor* field, const std::string& path) {
    const Reflection* reflection = message.GetReflection();
    const FieldDescriptor* key = field->message_type()->map_key();
    const FieldDescriptor* value = field->message_type()->map_value();
    std::map<std::string, const Message*> sorted;
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const Message& pair = reflection->GetRepeatedMessage(message, field, i);
      sorted[ScalarText(pair, key, kSingular)] = &pair;
    }
    out_ << YAML::BeginMap;
    for (const auto& [name, pair] : sorted) {
      out_ << YAML::Key << name << YAML::Value;
      EmitValue(*pair, value, kSingular, ChildPath(path, name));
    }
    out_ << YAML::EndMap;
  }

  void EmitList(const Message& message, const FieldDescriptor* field, const std::string& path) {
    const bool flow = field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
    if (flow) out_ << YAML::Flow;
    out_ << YAML::BeginSeq;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      EmitValue(message, field, i, ElementPath(path, i));
    }
    out_ << YAML::EndSeq;
    if (flow) EmitComment(path);
  }

  void EmitComment(const std::string& path) {
    if (!notes_.comment) return;
    std::string text = notes_.comment(path);
    if (text.empty()) return;
    // On one line, whatever a setting holds.
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    out_ << YAML::Comment(text);
  }

  const YamlNotes& notes_;
  YAML::Emitter& out_;
};

}  // namespace

std::string RenderYaml(const Message& message) { return RenderYaml(message, YamlNotes()); }

std::string RenderYaml(const Message& message, const YamlNotes& notes) {
  YAML::Emitter out;
  Writer(notes, &out).EmitMessage(message, "");
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace distill
