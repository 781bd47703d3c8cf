#include "cli/plan_reference/plan_reference.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/plan_reference/plan_descriptors.h"
#include "common/config/nearest_name.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::SourceLocation;

constexpr char kPlan[] = "distill.v1.PlanConfig";
constexpr char kDefault[] = "Default: ";
constexpr char kRequired[] = "Required";

// A field of a plan with those it stands in, outermost first.
using Place = std::vector<const FieldDescriptor*>;

const Descriptor* PlanDescriptor() {
  static const DescriptorPool* const pool = [] {
    google::protobuf::FileDescriptorSet files;
    const bool parsed =
        files.ParseFromArray(kPlanDescriptors, static_cast<int>(kPlanDescriptorsSize));
    ABSL_RAW_CHECK(parsed, "the embedded descriptors of the configuration cannot be read");
    auto* made = new DescriptorPool;
    for (const auto& file : files.file()) {
      ABSL_RAW_CHECK(made->BuildFile(file) != nullptr, "an embedded descriptor is not valid");
    }
    return made;
  }();
  return pool->FindMessageTypeByName(kPlan);
}

// What stands before a declaration, or behind it on its line; lines are kept.
template <typename Declared>
std::string CommentLines(const Declared* declared) {
  SourceLocation location;
  if (!declared->GetSourceLocation(&location)) return "";
  const std::string& text =
      location.leading_comments.empty() ? location.trailing_comments : location.leading_comments;
  std::vector<std::string> lines;
  for (const auto line : absl::StrSplit(text, '\n')) {
    lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return absl::StrJoin(lines, "\n");
}

template <typename Declared>
std::string OneLine(const Declared* declared) {
  return absl::StrReplaceAll(CommentLines(declared), {{"\n", " "}});
}

// The message that stands in a field; of a map, its values'. Null for a scalar.
const Descriptor* Below(const FieldDescriptor* field) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
  if (!field->is_map()) return field->message_type();
  return Below(field->message_type()->map_value());
}

std::vector<const EnumValueDescriptor*> Choices(const EnumDescriptor* descriptor) {
  std::vector<const EnumValueDescriptor*> choices;
  for (int i = 0; i < descriptor->value_count(); ++i) {
    if (descriptor->value(i)->number() != 0) choices.push_back(descriptor->value(i));
  }
  return choices;
}

std::string SingleType(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field->message_type()->name();
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ",
                          absl::StrJoin(Choices(field->enum_type()), ", ",
                                        [](std::string* out, const EnumValueDescriptor* choice) {
                                          *out += choice->name();
                                        }));
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "whole number, not negative";
    default:
      return "whole number";
  }
}

std::string TypeOf(const FieldDescriptor* field) {
  if (field->is_map()) {
    return absl::StrCat("mapping of name to ", SingleType(field->message_type()->map_value()));
  }
  return field->is_repeated() ? absl::StrCat("list of ", SingleType(field)) : SingleType(field);
}

// "4 with teachers; 1 without teachers".
std::vector<StatedDefault> ParseDefaults(const std::string& text) {
  std::vector<StatedDefault> defaults;
  for (const auto part : absl::StrSplit(text, "; ")) {
    std::string value(part);
    const size_t cut = std::min(value.find(" with "), value.find(" without "));
    std::string condition;
    if (cut != std::string::npos) {
      condition = value.substr(cut + 1);
      value.resize(cut);
    }
    defaults.push_back(
        {absl::AsciiStrToLower(value) == "required" ? "required" : value, condition});
  }
  return defaults;
}

FieldReference ReferenceOf(const FieldDescriptor* field) {
  FieldReference reference;
  reference.message = field->containing_type()->full_name();
  reference.name = field->name();
  reference.type = TypeOf(field);
  std::vector<std::string> lines = absl::StrSplit(CommentLines(field), '\n');
  if (lines.back().rfind(kDefault, 0) == 0 || lines.back().rfind(kRequired, 0) == 0) {
    std::string end = lines.back();
    lines.pop_back();
    if (end.back() == '.') end.pop_back();
    if (end.rfind(kDefault, 0) == 0) end = end.substr(sizeof(kDefault) - 1);
    reference.defaults = ParseDefaults(end);
  }
  reference.comment = absl::StrJoin(lines, " ");
  return reference;
}

std::string DefaultText(const FieldReference& reference) {
  return absl::StrJoin(reference.defaults, "; ", [](std::string* out, const StatedDefault& stated) {
    absl::StrAppend(out, stated.value, stated.condition.empty() ? "" : " ", stated.condition);
  });
}

// "runs[].schedules.term_weights.NAME".
std::string PathOf(const Place& place) {
  std::string path;
  for (const FieldDescriptor* field : place) {
    absl::StrAppend(&path, path.empty() ? "" : ".", field->name());
    if (field->is_map()) {
      path += ".NAME";
    } else if (field->is_repeated() && Below(field) != nullptr) {
      path += "[]";
    }
  }
  return path;
}

// Every field at every place; the configuration has no message within itself.
void AddPlaces(const Descriptor* message, const Place& at, std::vector<Place>* places) {
  for (int i = 0; i < message->field_count(); ++i) {
    Place place = at;
    place.push_back(message->field(i));
    places->push_back(place);
    if (const Descriptor* below = Below(message->field(i)); below != nullptr) {
      AddPlaces(below, place, places);
    }
  }
}

const std::vector<Place>& AllPlaces() {
  static const auto* const places = [] {
    auto* made = new std::vector<Place>;
    AddPlaces(PlanDescriptor(), {}, made);
    return made;
  }();
  return *places;
}

std::vector<std::string> FieldNames(const Descriptor* message) {
  std::vector<std::string> names;
  for (int i = 0; i < message->field_count(); ++i) names.push_back(message->field(i)->name());
  return names;
}

// "runs[2].name" is {runs, 2, name}.
std::vector<std::string> Steps(std::string_view path) {
  std::vector<std::string> steps(1);
  for (const char c : path) {
    if (c == '.' || c == '[') {
      steps.emplace_back();
    } else if (c != ']') {
      steps.back() += c;
    }
  }
  std::erase(steps, "");
  return steps;
}

// Follows the steps down from the plan, over the names and numbers of list entries.
absl::StatusOr<Place> Descend(const std::vector<std::string>& steps) {
  Place place;
  const Descriptor* message = PlanDescriptor();
  std::string skipped;
  bool may_skip = false;
  for (const std::string& step : steps) {
    const FieldDescriptor* field = message == nullptr ? nullptr : message->FindFieldByName(step);
    if (field != nullptr) {
      place.push_back(field);
      message = Below(field);
      may_skip = field->is_repeated();
    } else if (may_skip) {
      may_skip = false;
      skipped = step;
    } else if (message == nullptr) {
      return WithErrorId(absl::InvalidArgumentError(absl::StrCat(PathOf(place), " has no fields")),
                         ErrorId::kUnknownErrorId);
    } else {
      const std::vector<std::string> known = FieldNames(message);
      // "runs.trainig.steps": what looked like a run's name was not.
      const std::string meant = skipped.empty() ? "" : NearestName(skipped, known);
      const std::string where = place.empty() ? "the plan" : PathOf(place);
      return WithErrorId(
          absl::InvalidArgumentError(meant.empty() ? absl::StrCat(where, " has no field '", step,
                                                                  "'", SuggestName(step, known))
                                                   : absl::StrCat(where, " has no field '", skipped,
                                                                  "'; did you mean ", meant, "?")),
          ErrorId::kUnknownErrorId);
    }
  }
  return place;
}

bool EndsWith(const Place& place, const std::vector<std::string>& steps) {
  return place.size() >= steps.size() &&
         std::equal(steps.rbegin(), steps.rend(), place.rbegin(),
                    [](const auto& step, const auto* field) { return step == field->name(); });
}

// All places of the one field that was meant.
absl::StatusOr<std::vector<Place>> FindPlaces(std::string_view path) {
  const std::vector<std::string> steps = Steps(path);
  const auto exact = Descend(steps);
  if (exact.ok()) return std::vector<Place>{*exact};
  std::vector<Place> found;
  std::set<const FieldDescriptor*> fields;
  for (const Place& place : AllPlaces()) {
    if (!EndsWith(place, steps)) continue;
    found.push_back(place);
    fields.insert(place.back());
  }
  if (fields.size() == 1) return found;
  if (!found.empty()) {
    return WithErrorId(
        absl::InvalidArgumentError(absl::StrCat(
            "'", std::string(path), "' stands at several places; say more of its path:\n  ",
            absl::StrJoin(found, "\n  ",
                          [](std::string* out, const Place& place) { *out += PathOf(place); }))),
        ErrorId::kBadArgument);
  }
  if (steps.size() != 1) return exact.status();
  std::set<std::string> names;
  for (const Place& place : AllPlaces()) names.insert(place.back()->name());
  const std::string nearest =
      NearestName(steps[0], std::vector<std::string>(names.begin(), names.end()));
  return WithErrorId(
      absl::InvalidArgumentError(
          absl::StrCat("a plan has no field '", steps[0], "'",
                       nearest.empty() ? "; distillctl config explain lists those of the top level"
                                       : absl::StrCat("; did you mean ", nearest, "?"))),
      ErrorId::kUnknownErrorId);
}

void AppendChoices(const FieldDescriptor* field, const char* before, std::string* out) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_ENUM) return;
  for (const EnumValueDescriptor* choice : Choices(field->enum_type())) {
    absl::StrAppend(out, before, choice->name(), ": ", OneLine(choice));
  }
}

std::string FieldList(const Descriptor* message) {
  std::string text;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldReference reference = ReferenceOf(message->field(i));
    absl::StrAppend(&text, "  ", reference.name, " (", reference.type, ")\n      ",
                    reference.comment, "\n");
    if (!reference.defaults.empty()) {
      absl::StrAppend(&text, "      default: ", DefaultText(reference), "\n");
    }
  }
  return text;
}

// The field at its place in a file.
std::string YamlSketch(const Place& place) {
  std::string text;
  size_t indent = 2;
  std::string dash;
  for (const FieldDescriptor* field : place) {
    absl::StrAppend(&text, std::string(indent, ' '), dash, field->name(), ":");
    indent += dash.size() + 2;
    dash = field->is_repeated() && !field->is_map() && Below(field) != nullptr ? "- " : "";
    if (field->is_map()) {
      absl::StrAppend(&text, "\n", std::string(indent, ' '), "NAME:");
      indent += 2;
    }
    if (field != place.back()) text += "\n";
  }
  return absl::StrCat(text, " ...\n");
}

// Markdown that stands in a table.
std::string Cell(const std::string& text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

void AppendSection(const Descriptor* message, const std::vector<std::string>& paths,
                   std::string* page) {
  absl::StrAppend(page, "\n## ", message->name(), "\n\n", OneLine(message), "\n");
  if (!paths.empty()) absl::StrAppend(page, "\nAt `", absl::StrJoin(paths, "`, `"), "`.\n");
  if (message->field_count() == 0) {
    absl::StrAppend(page, "\nIt has no fields: `{}`.\n");
    return;
  }
  absl::StrAppend(page, "\n| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    const FieldReference reference = ReferenceOf(field);
    std::string meaning = reference.comment;
    AppendChoices(field, " ", &meaning);
    absl::StrAppend(page, "| `", reference.name, "` | ", Cell(reference.type), " | ",
                    Cell(DefaultText(reference)), " | ", Cell(meaning), " |\n");
  }
}

// The messages of a plan, each once, outermost first.
std::vector<const Descriptor*> Messages() {
  std::vector<const Descriptor*> messages = {PlanDescriptor()};
  for (const Place& place : AllPlaces()) {
    const Descriptor* below = Below(place.back());
    if (below == nullptr || std::ranges::find(messages, below) != messages.end()) continue;
    messages.push_back(below);
  }
  return messages;
}

}  // namespace

std::vector<FieldReference> PlanFields() {
  std::vector<FieldReference> fields;
  for (const Descriptor* message : Messages()) {
    for (int i = 0; i < message->field_count(); ++i)
      fields.push_back(ReferenceOf(message->field(i)));
  }
  return fields;
}

absl::StatusOr<std::string> ExplainField(std::string_view path) {
  if (Steps(path).empty()) {
    return absl::StrCat(OneLine(PlanDescriptor()), "\n\nIts fields:\n",
                        FieldList(PlanDescriptor()));
  }
  const auto places = FindPlaces(path);
  if (!places.ok()) return places.status();
  const FieldDescriptor* field = places->front().back();
  const FieldReference reference = ReferenceOf(field);
  std::string text = absl::StrCat(
      absl::StrJoin(*places, "\n",
                    [](std::string* out, const Place& place) { *out += PathOf(place); }),
      "\n  ", reference.type, "\n  ", reference.comment, "\n");
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    AppendChoices(field, "\n    ", &text);
    text += "\n\n";
  }
  if (!reference.defaults.empty()) {
    absl::StrAppend(&text, "  default: ", DefaultText(reference), "\n");
  }
  absl::StrAppend(&text, "\nIn a file:\n", YamlSketch(places->front()));
  if (const Descriptor* below = Below(field); below != nullptr) {
    absl::StrAppend(&text, "\n", below->name(), ": ", OneLine(below), "\n", FieldList(below));
  }
  return text;
}

std::string ConfigurationPage() {
  std::string page =
      "# Configuration\n\n"
      "<!-- Printed by `distillctl config reference` from the comments of proto/run_config.proto; "
      "do not edit. -->\n\n"
      "A plan is one YAML or JSON file. `distillctl config explain FIELD` prints what stands here "
      "of one field,\n`distillctl config show --origin CONFIG` a plan with every value and where "
      "it comes from. *Required* fields have no\ndefault; *unset* ones stay so. `[]` is an entry "
      "of a list; `--set` takes its number or its `name` there\n"
      "(`--set runs.student.training.steps=100`).\n";
  for (const Descriptor* message : Messages()) {
    std::vector<std::string> paths;
    for (const Place& place : AllPlaces()) {
      if (Below(place.back()) == message) paths.push_back(PathOf(place));
    }
    AppendSection(message, paths, &page);
  }
  return page;
}

}  // namespace distill
