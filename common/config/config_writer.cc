#include "common/config/config_writer.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"

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

void EmitMessage(const Message& message, YAML::Emitter* out);

void EmitValue(const Message& message, const FieldDescriptor* field, int index,
               YAML::Emitter* out) {
  const Reflection* reflection = message.GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return EmitMessage(index == kSingular ? reflection->GetMessage(message, field)
                                          : reflection->GetRepeatedMessage(message, field, index),
                       out);
  }
  const bool quoted = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
                      ScalarText(message, field, index).find_first_of("\n\t") != std::string::npos;
  if (quoted) *out << YAML::DoubleQuoted;
  *out << ScalarText(message, field, index);
}

void EmitMap(const Message& message, const FieldDescriptor* field, YAML::Emitter* out) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  std::map<std::string, const Message*> sorted;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& pair = reflection->GetRepeatedMessage(message, field, i);
    sorted[ScalarText(pair, key, kSingular)] = &pair;
  }
  *out << YAML::BeginMap;
  for (const auto& [name, pair] : sorted) {
    *out << YAML::Key << name << YAML::Value;
    EmitValue(*pair, value, kSingular, out);
  }
  *out << YAML::EndMap;
}

void EmitList(const Message& message, const FieldDescriptor* field, YAML::Emitter* out) {
  const bool flow = field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
  if (flow) *out << YAML::Flow;
  *out << YAML::BeginSeq;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    EmitValue(message, field, i, out);
  }
  *out << YAML::EndSeq;
}

void EmitMessage(const Message& message, YAML::Emitter* out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::sort(fields.begin(), fields.end(),
            [](const auto* a, const auto* b) { return a->index() < b->index(); });
  if (fields.empty()) *out << YAML::Flow;
  *out << YAML::BeginMap;
  for (const FieldDescriptor* field : fields) {
    *out << YAML::Key << field->name() << YAML::Value;
    if (field->is_map()) {
      EmitMap(message, field, out);
    } else if (field->is_repeated()) {
      EmitList(message, field, out);
    } else {
      EmitValue(message, field, kSingular, out);
    }
  }
  *out << YAML::EndMap;
}

}  // namespace

std::string RenderYaml(const Message& message) {
  YAML::Emitter out;
  EmitMessage(message, &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace distill
