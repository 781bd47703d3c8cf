#include "common/config/config_reader.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/message_filler.h"
#include "common/config/nearest_name.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// All of them under the id of the first.
absl::Status JoinProblems(const std::vector<std::string>& problems, const MessageFiller& filler) {
  if (problems.empty()) return absl::OkStatus();
  return WithErrorId(absl::InvalidArgumentError(absl::StrJoin(problems, "\n")),
                     filler.first_problem().value_or(ErrorId::kAnyConfiguration));
}

absl::Status CheckSize(size_t bytes, std::string_view what, const ConfigLimits& limits) {
  if (bytes <= limits.max_bytes) return absl::OkStatus();
  return WithErrorId(absl::InvalidArgumentError(absl::StrCat(std::string(what), ": has ", bytes,
                                                             " bytes; a configuration has at most ",
                                                             limits.max_bytes)),
                     ErrorId::kConfigurationTooLarge);
}

// May throw.
absl::Status ParseOrThrow(const std::string& text, const std::string& file, Message* message,
                          PositionMap* positions, const ConfigLimits& limits) {
  const std::vector<YAML::Node> documents = YAML::LoadAll(text);
  if (documents.empty() || documents[0].IsNull()) {
    return WithErrorId(
        absl::InvalidArgumentError(absl::StrCat(file, ":1:1: the file holds no configuration")),
        ErrorId::kNotYaml);
  }
  if (documents.size() > 1) {
    return WithErrorId(
        absl::InvalidArgumentError(absl::StrCat(file, ":", documents[1].Mark().line + 1,
                                                ":1: a second document begins; a file holds "
                                                "one configuration")),
        ErrorId::kNotYaml);
  }
  std::vector<std::string> problems;
  MessageFiller filler(file, /*fixed=*/false, limits.max_depth, limits.max_values, positions,
                       &problems);
  filler.FillMessage(documents[0], "", message);
  return JoinProblems(problems, filler);
}

// The steps of a setting's path: "runs[2].name" and "runs.2.name" alike.
std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> steps(1);
  for (char c : path) {
    if (c == '.' || c == '[') {
      steps.emplace_back();
    } else if (c != ']') {
      steps.back() += c;
    }
  }
  return steps;
}

// The index of the element that `step` means, by number or by name.
absl::StatusOr<int> FindElement(const Message& message, const FieldDescriptor* field,
                                const std::string& step, const std::string& path) {
  const Reflection* reflection = message.GetReflection();
  const int size = reflection->FieldSize(message, field);
  const FieldDescriptor* name_field = nullptr;
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    name_field = field->message_type()->FindFieldByName("name");
  }
  std::vector<std::string> names;
  if (name_field != nullptr && name_field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    for (int i = 0; i < size; ++i) {
      const Message& element = reflection->GetRepeatedMessage(message, field, i);
      names.push_back(element.GetReflection()->GetString(element, name_field));
      if (names.back() == step) return i;
    }
  }
  int index = 0;
  if (absl::SimpleAtoi(step, &index) && index >= 0 && index < size) return index;
  return WithErrorId(
      absl::InvalidArgumentError(absl::StrCat(path, " has ", size, " entries and none is \"", step,
                                              "\"", SuggestName(step, names))),
      ErrorId::kBadSetting);
}

class SettingApplier {
 public:
  SettingApplier(std::vector<std::string> steps, const YAML::Node& value, MessageFiller* filler,
                 PositionMap* positions, SourcePosition position)
      : steps_(std::move(steps)),
        value_(value),
        filler_(filler),
        positions_(positions),
        position_(std::move(position)) {}

  // Goes down from `message` by steps_[at...] and sets the last one.
  absl::Status Apply(size_t at, const std::string& path, Message* message) {
    const std::string& step = steps_[at];
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(step);
    if (field == nullptr) {
      return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                             path.empty() ? "" : path + ": ", "unknown field \"", step, "\"",
                             SuggestName(step, FieldNames(message->GetDescriptor())))),
                         ErrorId::kUnknownField);
    }
    const std::string child = ChildPath(path, step);
    if (at + 1 == steps_.size()) {
      message->GetReflection()->ClearField(message, field);
      Record(child);
      filler_->FillField(value_, child, field, message);
      return absl::OkStatus();
    }
    if (field->is_map()) return ApplyToEntry(at + 1, child, field, message);
    if (field->is_repeated()) return ApplyToElement(at + 1, child, field, message);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return Apply(at + 1, child, message->GetReflection()->MutableMessage(message, field));
    }
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           child, " is a single value; it has no field \"", steps_[at + 1], "\"")),
                       ErrorId::kUnknownField);
  }

 private:
  absl::Status ApplyToElement(size_t at, const std::string& path, const FieldDescriptor* field,
                              Message* message) {
    ASSIGN_OR_RETURN(const int index, FindElement(*message, field, steps_[at], path));
    const std::string child = ElementPath(path, index);
    if (at + 1 == steps_.size()) {
      Record(child);
      filler_->SetElement(value_, child, field, index, message);
      return absl::OkStatus();
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return absl::InvalidArgumentError(absl::StrCat(child, " is a single value"));
    }
    return Apply(at + 1, child,
                 message->GetReflection()->MutableRepeatedMessage(message, field, index));
  }

  absl::Status ApplyToEntry(size_t at, const std::string& path, const FieldDescriptor* field,
                            Message* message) {
    const FieldDescriptor* key = field->message_type()->map_key();
    const FieldDescriptor* value = field->message_type()->map_value();
    if (key->type() != FieldDescriptor::TYPE_STRING) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": only maps with text as key can be entered; set the whole map"));
    }
    const Reflection* reflection = message->GetReflection();
    Message* pair = nullptr;
    for (int i = 0; i < reflection->FieldSize(*message, field) && pair == nullptr; ++i) {
      Message* entry = reflection->MutableRepeatedMessage(message, field, i);
      if (entry->GetReflection()->GetString(*entry, key) == steps_[at]) pair = entry;
    }
    if (pair == nullptr) {
      pair = reflection->AddMessage(message, field);
      pair->GetReflection()->SetString(pair, key, steps_[at]);
    }
    const std::string child = ChildPath(path, steps_[at]);
    if (at + 1 == steps_.size()) {
      pair->GetReflection()->ClearField(pair, value);
      Record(child);
      filler_->FillField(value_, child, value, pair);
      return absl::OkStatus();
    }
    if (value->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return absl::InvalidArgumentError(absl::StrCat(child, " is a single value"));
    }
    return Apply(at + 1, child, pair->GetReflection()->MutableMessage(pair, value));
  }

  void Record(const std::string& path) {
    positions_->Erase(path);
    positions_->Set(path, position_);
  }

  const std::vector<std::string> steps_;
  const YAML::Node value_;
  MessageFiller* const filler_;
  PositionMap* const positions_;
  const SourcePosition position_;
};

// May throw.
absl::Status ApplyOrThrow(const std::string& setting, const std::string& origin, Message* message,
                          PositionMap* positions, const ConfigLimits& limits) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    return WithErrorId(
        absl::InvalidArgumentError(
            absl::StrCat(origin, ": expects field=value, such as runs.student.training.steps=100")),
        ErrorId::kBadSetting);
  }
  YAML::Node value = YAML::Load(setting.substr(equals + 1));
  if (equals + 1 == setting.size()) value = YAML::Node(std::string());
  std::vector<std::string> problems;
  MessageFiller filler(origin, /*fixed=*/true, limits.max_depth, limits.max_values, positions,
                       &problems);
  SettingApplier applier(SplitPath(std::string_view(setting).substr(0, equals)), value, &filler,
                         positions, {origin, 0, 0});
  const absl::Status status = applier.Apply(0, "", message);
  if (!status.ok()) {
    return WithErrorId(Annotate(status, origin), ErrorId::kBadSetting);
  }
  return JoinProblems(problems, filler);
}

// yaml-cpp reports by exceptions; none leaves this room.
template <typename Function>
absl::Status Guarded(const std::string& file, bool with_line, Function function) {
  try {
    return function();
  } catch (const YAML::Exception& error) {
    const SourcePosition position =
        with_line ? SourcePosition{file, error.mark.line + 1, error.mark.column + 1}
                  : SourcePosition{file, 0, 0};
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           position.ToString(), ": is not valid YAML or JSON: ", error.msg)),
                       ErrorId::kNotYaml);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": cannot be read: ", error.what()));
  }
}

}  // namespace

absl::Status ParseConfig(std::string_view text, std::string_view file, Message* message,
                         PositionMap* positions, const ConfigLimits& limits) {
  RETURN_IF_ERROR(CheckSize(text.size(), file, limits));
  const std::string name(file);
  return Guarded(name, /*with_line=*/true,
                 [&] { return ParseOrThrow(std::string(text), name, message, positions, limits); });
}

absl::Status ApplySetting(std::string_view setting, Message* message, PositionMap* positions,
                          const ConfigLimits& limits) {
  RETURN_IF_ERROR(CheckSize(setting.size(), "--set", limits));
  const std::string text(setting);
  const std::string origin = absl::StrCat("--set ", text.substr(0, 200));
  // On copies: a setting that fails half way changes nothing.
  const std::unique_ptr<Message> changed(message->New());
  changed->CopyFrom(*message);
  PositionMap changed_positions = *positions;
  RETURN_IF_ERROR(Guarded(origin, /*with_line=*/false, [&] {
    return ApplyOrThrow(text, origin, changed.get(), &changed_positions, limits);
  }));
  message->CopyFrom(*changed);
  *positions = std::move(changed_positions);
  return absl::OkStatus();
}

}  // namespace distill
