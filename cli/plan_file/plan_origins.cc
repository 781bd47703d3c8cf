#include "cli/plan_file/plan_origins.h"

#include <google/protobuf/descriptor.h>

#include "absl/strings/str_cat.h"
#include "common/config/config_writer.h"

namespace distill {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void Note(const Message& written, const Message& resolved, const std::string& path,
          PositionMap* origins) {
  const auto* before = written.GetReflection();
  const auto* after = resolved.GetReflection();
  for (int i = 0; i < written.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = written.GetDescriptor()->field(i);
    const std::string child = ChildPath(path, field->name());
    if (field->is_map()) continue;  // nothing is filled in below
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) {
        if (!before->HasField(written, field)) continue;
        Note(before->GetMessage(written, field), after->GetMessage(resolved, field), child,
             origins);
        continue;
      }
      for (int j = 0; j < before->FieldSize(written, field); ++j) {
        Note(before->GetRepeatedMessage(written, field, j),
             after->GetRepeatedMessage(resolved, field, j), ElementPath(child, j), origins);
      }
      continue;
    }
    const SourcePosition* position = origins->Written(child);
    if (position == nullptr) continue;
    const bool replaced =
        field->is_repeated()
            ? before->FieldSize(written, field) == 0 && after->FieldSize(resolved, field) > 0
            : !before->HasField(written, field) && after->HasField(resolved, field);
    if (!replaced) continue;
    const bool number =
        field->cpp_type() != FieldDescriptor::CPPTYPE_STRING && !field->is_repeated();
    origins->Set(child, {absl::StrCat("default, for the ", number ? "0" : "empty value", " of ",
                                      position->ToString()),
                         0, 0});
  }
}

// Of a list, also where single entries were set.
std::string Origin(const PositionMap& origins, const std::string& path) {
  const SourcePosition* position = origins.Written(path);
  std::string text = position == nullptr ? "default" : position->ToString();
  for (int i = 0;; ++i) {
    const SourcePosition* entry = origins.Written(ElementPath(path, i));
    if (entry == nullptr) return text;
    if (position != nullptr && entry->file != position->file) {
      absl::StrAppend(&text, "; [", i, "]: ", entry->ToString());
    }
  }
}

}  // namespace

void NoteReplacedZeros(const Message& written, const Message& resolved, PositionMap* origins) {
  Note(written, resolved, "", origins);
}

std::string ShowPlan(const Message& plan, const PositionMap& origins, bool show_origins) {
  YamlNotes notes;
  notes.show_zero = [&](const FieldDescriptor& field, const std::string& path) {
    const bool empty = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
                       field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
    return !empty || origins.Written(path) != nullptr;
  };
  if (show_origins) notes.comment = [&](const std::string& path) { return Origin(origins, path); };
  return RenderYaml(plan, notes);
}

}  // namespace distill
