#include "common/config/message_filler.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/nearest_name.h"

namespace distill {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr int kSingular = -1;
constexpr int kAppend = -2;

// Text quoted back to the user is cut: a mistake may be a megabyte long.
std::string Quoted(const std::string& text) {
  constexpr size_t kShown = 60;
  return absl::StrCat("\"", text.substr(0, kShown), text.size() > kShown ? "..." : "", "\"");
}

const char* KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return node.IsNull() ? "nothing" : "a single value";
}

bool IsDecimal(const std::string& text) {
  const size_t start = text.starts_with('-') ? 1 : 0;
  const size_t digits = text.size() - start;
  if (digits == 0 || (digits > 1 && text[start] == '0')) return false;  // 010: octal in YAML 1.1
  for (size_t i = start; i < text.size(); ++i) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

// An empty string means success.
template <typename Int>
std::string ParseInteger(const YAML::Node& node, Int* value) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!" || !IsDecimal(text)) {
    return absl::StrCat("expects a whole number, has ", Quoted(text));
  }
  if (!absl::SimpleAtoi(text, value)) {
    return absl::StrCat("is out of range: ", Quoted(text), "; it must be from ",
                        std::numeric_limits<Int>::min(), " to ", std::numeric_limits<Int>::max());
  }
  return "";
}

std::string ParseDouble(const YAML::Node& node, double* value) {
  const std::string& text = node.Scalar();
  // Infinities and NaN are written in letters; no configuration means them.
  if (node.Tag() == "!" || text.find_first_not_of("0123456789+-.eE") != std::string::npos ||
      !absl::SimpleAtod(text, value)) {
    return absl::StrCat("expects a finite number, has ", Quoted(text));
  }
  return std::isfinite(*value) ? "" : absl::StrCat("is out of range: ", Quoted(text));
}

std::string ParseFloat(const YAML::Node& node, float* value) {
  double wide = 0;
  const std::string error = ParseDouble(node, &wide);
  if (!error.empty()) return error;
  if (std::abs(wide) > std::numeric_limits<float>::max()) {
    return absl::StrCat("is out of range: ", Quoted(node.Scalar()));
  }
  *value = static_cast<float>(wide);
  return "";
}

std::string ParseString(const YAML::Node& node, const FieldDescriptor* field, std::string* value) {
  if (field->type() == FieldDescriptor::TYPE_BYTES) {
    return "is of a type that a configuration cannot hold (bytes)";
  }
  *value = node.Scalar();
  return "";
}

std::string ParseBool(const YAML::Node& node, bool* value) {
  const std::string& text = node.Scalar();
  *value = text == "true";
  if (node.Tag() != "!" && (text == "true" || text == "false")) return "";
  return absl::StrCat("expects true or false, has ", Quoted(text));
}

std::string ParseEnum(const YAML::Node& node, const EnumDescriptor* descriptor, int* value) {
  std::vector<std::string> choices;
  for (int i = 0; i < descriptor->value_count(); ++i) {
    const EnumValueDescriptor* choice = descriptor->value(i);
    // Number 0 means "not given", which is written by leaving the field out.
    if (choice->number() == 0) continue;
    if (choice->name() == node.Scalar()) {
      *value = choice->number();
      return "";
    }
    choices.push_back(choice->name());
  }
  std::string text = absl::StrCat("has unknown value ", Quoted(node.Scalar()), "; choices: ");
  for (size_t i = 0; i < choices.size(); ++i) absl::StrAppend(&text, i ? ", " : "", choices[i]);
  const std::string nearest = NearestName(node.Scalar(), choices);
  if (!nearest.empty()) absl::StrAppend(&text, "; did you mean ", nearest, "?");
  return text;
}

// One C++ type of a field: parses the node into `value`, then calls the Set or Add
// of reflection that goes with the type.
#define DISTILL_SCALAR_CASE(Kind, Type, CppType, parsed)           \
  case FieldDescriptor::CPPTYPE_##Kind: {                          \
    CppType value{};                                               \
    std::string error = parsed;                                    \
    if (!error.empty()) return error;                              \
    if (index == kSingular) {                                      \
      reflection->Set##Type(message, field, value);                \
    } else if (index == kAppend) {                                 \
      reflection->Add##Type(message, field, value);                \
    } else {                                                       \
      reflection->SetRepeated##Type(message, field, index, value); \
    }                                                              \
    return "";                                                     \
  }

// Parses and stores one scalar; an empty string means success.
std::string StoreScalar(const YAML::Node& node, const FieldDescriptor* field, int index,
                        Message* message) {
  const Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    DISTILL_SCALAR_CASE(INT32, Int32, int32_t, ParseInteger(node, &value))
    DISTILL_SCALAR_CASE(INT64, Int64, int64_t, ParseInteger(node, &value))
    DISTILL_SCALAR_CASE(UINT32, UInt32, uint32_t, ParseInteger(node, &value))
    DISTILL_SCALAR_CASE(UINT64, UInt64, uint64_t, ParseInteger(node, &value))
    DISTILL_SCALAR_CASE(DOUBLE, Double, double, ParseDouble(node, &value))
    DISTILL_SCALAR_CASE(FLOAT, Float, float, ParseFloat(node, &value))
    DISTILL_SCALAR_CASE(BOOL, Bool, bool, ParseBool(node, &value))
    DISTILL_SCALAR_CASE(ENUM, EnumValue, int, ParseEnum(node, field->enum_type(), &value))
    DISTILL_SCALAR_CASE(STRING, String, std::string, ParseString(node, field, &value))
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;  // FillMessage's
  }
  return "is not a single value";
}

#undef DISTILL_SCALAR_CASE

}  // namespace

std::vector<std::string> FieldNames(const Descriptor* descriptor) {
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->name());
  return names;
}

MessageFiller::MessageFiller(std::string file, bool fixed, int max_depth, int max_nodes,
                             PositionMap* positions, std::vector<std::string>* problems)
    : file_(std::move(file)),
      fixed_(fixed),
      max_depth_(max_depth),
      nodes_left_(max_nodes),
      positions_(positions),
      problems_(problems) {}

void MessageFiller::FillMessage(const YAML::Node& node, const std::string& path, Message* message) {
  if (!Enter(node, path)) return;
  if (!node.IsMap()) {
    return Problem(
        node, path,
        absl::StrCat("expects fields (a mapping; write {} for none), has ", KindOf(node)));
  }
  ++depth_;
  const Descriptor* descriptor = message->GetDescriptor();
  std::map<std::string, std::string> first_at;
  std::map<const OneofDescriptor*, const FieldDescriptor*> chosen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      Problem(entry.first, path, absl::StrCat("expects a field name, has ", KindOf(entry.first)));
      continue;
    }
    const std::string& name = entry.first.Scalar();
    const FieldDescriptor* field = descriptor->FindFieldByName(name);
    if (field == nullptr) {
      Problem(
          entry.first, path,
          absl::StrCat("unknown field ", Quoted(name), SuggestName(name, FieldNames(descriptor))),
          ErrorId::kUnknownField);
      continue;
    }
    const std::string child = ChildPath(path, name);
    const auto [first, is_first] = first_at.emplace(name, Position(entry.first).ToString());
    if (!is_first) {
      Problem(entry.first, child, absl::StrCat("is given twice; first at ", first->second),
              ErrorId::kFieldGivenTwice);
      continue;
    }
    if (const OneofDescriptor* oneof = field->real_containing_oneof(); oneof != nullptr) {
      const auto [other, alone] = chosen.emplace(oneof, field);
      if (!alone) {
        Problem(entry.first, child,
                absl::StrCat("cannot stand beside ", other->second->name(), "; only one ",
                             oneof->name(), " may be given"),
                ErrorId::kFieldGivenTwice);
        continue;
      }
    }
    positions_->Set(child, Position(entry.first));
    FillField(entry.second, child, field, message);
  }
  --depth_;
}

void MessageFiller::FillField(const YAML::Node& node, const std::string& path,
                              const FieldDescriptor* field, Message* message) {
  if (field->is_map()) return FillMap(node, path, field, message);
  if (field->is_repeated()) return FillRepeated(node, path, field, message);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return FillMessage(node, path, message->GetReflection()->MutableMessage(message, field));
  }
  FillScalar(node, path, field, kSingular, message);
}

void MessageFiller::SetElement(const YAML::Node& node, const std::string& path,
                               const FieldDescriptor* field, int index, Message* message) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return FillScalar(node, path, field, index, message);
  }
  Message* element = message->GetReflection()->MutableRepeatedMessage(message, field, index);
  element->Clear();
  FillMessage(node, path, element);
}

void MessageFiller::FillMap(const YAML::Node& node, const std::string& path,
                            const FieldDescriptor* field, Message* message) {
  if (!Enter(node, path)) return;
  if (!node.IsMap()) {
    return Problem(node, path, absl::StrCat("expects entries (a mapping), has ", KindOf(node)));
  }
  ++depth_;
  const FieldDescriptor* key_field = field->message_type()->map_key();
  const FieldDescriptor* value_field = field->message_type()->map_value();
  std::map<std::string, std::string> first_at;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      Problem(entry.first, path, absl::StrCat("expects a key, has ", KindOf(entry.first)));
      continue;
    }
    const std::string child = ChildPath(path, entry.first.Scalar());
    const auto [first, is_first] =
        first_at.emplace(entry.first.Scalar(), Position(entry.first).ToString());
    if (!is_first) {
      Problem(entry.first, child, absl::StrCat("is given twice; first at ", first->second),
              ErrorId::kFieldGivenTwice);
      continue;
    }
    positions_->Set(child, Position(entry.first));
    // Through reflection a map is a list of messages with fields key and value.
    Message* pair = message->GetReflection()->AddMessage(message, field);
    FillScalar(entry.first, child, key_field, kSingular, pair);
    FillField(entry.second, child, value_field, pair);
  }
  --depth_;
}

void MessageFiller::FillRepeated(const YAML::Node& node, const std::string& path,
                                 const FieldDescriptor* field, Message* message) {
  if (!Enter(node, path)) return;
  if (!node.IsSequence()) {
    return Problem(node, path, absl::StrCat("expects a list, has ", KindOf(node)));
  }
  ++depth_;
  int index = 0;
  for (const YAML::Node& element : node) {
    const std::string child = ElementPath(path, index++);
    positions_->Set(child, Position(element));
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      FillMessage(element, child, message->GetReflection()->AddMessage(message, field));
    } else {
      FillScalar(element, child, field, kAppend, message);
    }
  }
  --depth_;
}

void MessageFiller::FillScalar(const YAML::Node& node, const std::string& path,
                               const FieldDescriptor* field, int index, Message* message) {
  if (!Enter(node, path)) return;
  if (!node.IsScalar()) {
    return Problem(node, path, absl::StrCat("expects a single value, has ", KindOf(node)));
  }
  const std::string error = StoreScalar(node, field, index, message);
  if (!error.empty()) Problem(node, path, error);
}

// False, with a problem the first time, once a bound is passed. Counting visits
// rather than nodes stops aliases that repeat each other without end.
bool MessageFiller::Enter(const YAML::Node& node, const std::string& path) {
  if (depth_ > max_depth_) {
    Problem(node, path, absl::StrCat("is nested deeper than ", max_depth_, " levels"),
            ErrorId::kConfigurationTooLarge);
    return false;
  }
  if (nodes_left_ > 0) {
    --nodes_left_;
    return true;
  }
  if (nodes_left_ == 0) {
    --nodes_left_;
    Problem(node, path, "the configuration has too many values; the rest is not read",
            ErrorId::kConfigurationTooLarge);
  }
  return false;
}

void MessageFiller::Problem(const YAML::Node& node, const std::string& path,
                            std::string_view message, ErrorId id) {
  if (!first_problem_.has_value()) first_problem_ = id;
  constexpr size_t kMaxProblems = 100;
  if (problems_->size() == kMaxProblems) problems_->push_back("and more problems, not listed");
  if (problems_->size() > kMaxProblems) return;
  // yaml-cpp gives a value left empty no place: take that of its field.
  const SourcePosition* field = node.IsNull() ? positions_->PositionOf(path) : nullptr;
  const SourcePosition position = field != nullptr ? *field : Position(node);
  problems_->push_back(absl::StrCat(position.ToString(), ": ", path, path.empty() ? "" : ": ",
                                    std::string(message)));
}

SourcePosition MessageFiller::Position(const YAML::Node& node) const {
  if (fixed_) return {file_, 0, 0};
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? SourcePosition{file_, 1, 1}
                        : SourcePosition{file_, mark.line + 1, mark.column + 1};
}

}  // namespace distill
