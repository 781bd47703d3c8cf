#include "cli/plan_reference/plan_reference.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/config_reader.h"
#include "common/config/config_writer.h"
#include "common/config/position_map.h"
#include "distillation/run_config/plan_checks.h"
#include "distillation/run_config/plan_defaults.h"
#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

std::string Explained(std::string_view field) {
  const auto text = ExplainField(field);
  EXPECT_TRUE(text.ok()) << field << ": " << text.status();
  return text.value_or("");
}

std::string Refused(std::string_view field) {
  const auto text = ExplainField(field);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << field;
  return std::string(text.status().message());
}

TEST(PlanReference, AFieldHasItsTypeMeaningDefaultAndPlace) {
  EXPECT_EQ(Explained("runs.training.world_size"),
            "runs[].training.world_size\n"
            "  whole number, not negative\n"
            "  Ranks, each a student worker; at most processes.student_workers.\n"
            "  default: 1\n"
            "\n"
            "In a file:\n"
            "  runs:\n"
            "    - training:\n"
            "        world_size: ...\n");
}

TEST(PlanReference, APathIsTakenAsSettingsAndMessagesHaveItAndByItsEnd) {
  const std::string expected = Explained("runs.training.steps");
  for (const char* path :
       {"runs[].training.steps", "runs[1].training.steps", "runs.student.training.steps",
        "runs.2.training.steps", "training.steps", "steps"}) {
    EXPECT_EQ(Explained(path), expected) << path;
  }
  EXPECT_THAT(Explained("term_weights"), HasSubstr("term_weights:\n          NAME: ..."));
  EXPECT_THAT(Explained("runs.a.schedules.term_weights.hint.pieces"), HasSubstr("pieces[]\n"));
}

TEST(PlanReference, AMessageListsItsFieldsAndAnEnumItsValues) {
  EXPECT_THAT(Explained(""), HasSubstr("  runs (list of RunConfig)\n"));
  EXPECT_THAT(Explained("labels"), HasSubstr("  window_steps (whole number, not negative)\n"));
  EXPECT_THAT(Explained("reduction"),
              HasSubstr("    CLASS_SUM: sum over classes, mean over examples\n"));
}

TEST(PlanReference, AMisspeltFieldIsAnsweredWithTheNearest) {
  EXPECT_THAT(Refused("global_batchsize"), HasSubstr("did you mean global_batch_size?"));
  EXPECT_THAT(Refused("runs.a.training.stesp"), HasSubstr("did you mean steps?"));
  EXPECT_THAT(Refused("runs.trainig.steps"), HasSubstr("did you mean training?"));
  EXPECT_THAT(Refused("runs.a.training.steps.x"), HasSubstr("has no fields"));
  EXPECT_THAT(Refused("zzzzzzzz"), HasSubstr("distillctl config explain lists"));
}

TEST(PlanReference, AnEndThatSeveralFieldsHaveIsAnsweredWithAllOfThem) {
  EXPECT_THAT(Refused("path"), HasSubstr("\n  data_sets[].idx.train_images.path\n"));
  EXPECT_THAT(Refused("output"), HasSubstr("runs[].objective[].soft_kl.output"));
}

TEST(PlanReference, ThePageInDocsIsTheOnePrinted) {
  std::ifstream in("docs/configuration.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(text.str() == ConfigurationPage())
      << "docs/configuration.md is not what proto/run_config.proto says; write it anew:\n"
      << "  distillctl config reference > docs/configuration.md";
}

// Every message of the configuration but the outputs and views, whose values nothing fills in.
constexpr char kProbe[] = R"(
name: probe
seed: 3
data_sets:
- name: bytes
  idx: {train_images: {path: a}, train_labels: {path: b}, test_images: {path: c},
        test_labels: {path: d}}
  classes: 4
- name: rows
  npy: {train_examples: {path: a}, train_labels: {path: b}, test_examples: {path: c},
        test_labels: {path: d}}
  classes: 4
runs:
- name: big
  data_set: bytes
  model: {architecture: conv_net, widths: [4], strides: [1]}
  view: {horizontal_flip: true, views_per_example: 1}
  schedules:
    learning_rate:
      pieces:
      - {begin_step: 0, end_step: 1, constant: {value: 1}}
      - {begin_step: 1, end_step: 2, linear: {from: 1, to: 1}}
      - {begin_step: 2, end_step: 3, cosine: {from: 1, to: 1}}
      - {begin_step: 3, end_step: 4, exponential: {from: 1, to: 2}}
      - {begin_step: 4, end_step: 5, step: {from: 1, factor: 0.5, every_steps: 1, floor: 0.1}}
      - {begin_step: 5, end_step: 6, polynomial: {from: 1, to: 1, power: 2}}
  training: {steps: 100, global_batch_size: 8, world_size: 2, sgd: {momentum: 0.5}}
- name: recorded
  data_set: rows
  model: {architecture: mlp, widths: [4]}
  teachers: [{role: t, recorded_labels: set}]
  objective: [{soft_kl: {teacher: t}}]
  schedules: {learning_rate: {pieces: [{constant: {value: 1}}]}}
  training: {steps: 100, global_batch_size: 8, world_size: 1, adamw: {weight_decay: 0.1}}
- name: little
  data_set: bytes
  model: {architecture: mlp, widths: [4]}
  labelled_subset: {examples: 4}
  teachers: [{role: t, run: big, outputs: [{name: logits, logits: {}}]}]
  objective:
  - {hard_cross_entropy: {}}
  - {soft_kl: {teacher: t}}
  - {logit_mse: {teacher: t}}
  - {name: more, soft_kl: {teacher: t}, weight: TERM_WEIGHT}
  schedules:
    learning_rate: {pieces: [{constant: {value: 1}}]}
    term_weights: {more: {pieces: [{constant: {value: 1}}]}}
  training: {steps: 100, global_batch_size: 8, world_size: 1}
  labels: {window_steps: 2}
- name: file
  data_set: bytes
  model: {aot_inductor: {file: a.pt2}}
  export_only: true
- name: scripted
  data_set: bytes
  model: {torch_script: {file: a.pt}}
  schedules: {learning_rate: {pieces: [{constant: {value: 1}}]}}
  training: {steps: 100, global_batch_size: 8, world_size: 1}
serving: {max_batch_examples: 100, canary_interval_seconds: 1}
processes: {student_workers: 2, teacher_servers: 1}
)";

v1::PlanConfig Parsed(const std::string& text) {
  v1::PlanConfig plan;
  PositionMap positions;
  const absl::Status status = ParseConfig(text, "probe.yaml", &plan, &positions);
  EXPECT_TRUE(status.ok()) << status;
  return plan;
}

PlanCapabilities Capabilities() {
  return {[](const v1::ModelConfig& model) {
            if (model.has_torch_script() || model.has_aot_inductor()) {
              const auto& file =
                  model.has_aot_inductor() ? model.aot_inductor() : model.torch_script();
              return file.file().empty() ? absl::InvalidArgumentError("no file") : absl::OkStatus();
            }
            const bool sized = model.architecture() == "mlp" ||
                               (model.widths_size() > 0 && model.strides_size() > 0);
            return !model.architecture().empty() && sized
                       ? absl::OkStatus()
                       : absl::InvalidArgumentError("no architecture or no widths");
          },
          {"dense_fp16", "dense_fp32"}};
}

// Values stated in words.
const std::map<std::string, std::string>& Words() {
  static const auto* const words = new std::map<std::string, std::string>{
      {"a tenth of steps, at least 1", "10"}, {"the largest world_size of the runs", "2"}};
  return *words;
}

// Whether "with X" holds for `message`, which stands in `run` (or in none).
bool Holds(const std::string& condition, const v1::PlanConfig& plan, const v1::RunConfig* run,
           const Message& message) {
  if (condition.empty()) return true;
  const bool with = absl::StartsWith(condition, "with ");
  const std::string what = condition.substr(condition.find(' ') + 1);
  if (what == "teachers") return with == !run->teachers().empty();
  if (what == "teacher servers asked") return with == AsksTeacherServers(plan);
  if (what == "conv_net" || what == "mlp") return with == (run->model().architecture() == what);
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(what);
  if (field == nullptr) {
    ADD_FAILURE() << "the test does not know the condition '" << condition << "'";
    return false;
  }
  const bool has = message.GetReflection()->HasField(message, field);
  return with == has;
}

// Walks the probe; one check of one field of one message.
class DefaultsCheck {
 public:
  explicit DefaultsCheck(v1::PlanConfig probe) : probe_(std::move(probe)) {
    for (const FieldReference& field : PlanFields()) {
      fields_[absl::StrCat(field.message, ".", field.name)] = field;
    }
  }

  void Walk(const Message& message, const std::string& path, const v1::RunConfig* run) {
    seen_.insert(message.GetDescriptor()->full_name());
    const auto* reflection = message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      const std::string child = absl::StrCat(path, path.empty() ? "" : ".", field->name());
      CheckField(message, field, path, child, run);
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
      if (!field->is_repeated()) {
        if (reflection->HasField(message, field)) {
          Walk(reflection->GetMessage(message, field), child, run);
        }
        continue;
      }
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) {
        const Message& element = reflection->GetRepeatedMessage(message, field, j);
        const bool is_run = element.GetTypeName() == "distill.v1.RunConfig";
        Walk(element, absl::StrCat(child, "[", j, "]"),
             is_run ? static_cast<const v1::RunConfig*>(&element) : run);
      }
    }
  }

  const std::set<std::string>& seen() const { return seen_; }
  int checked() const { return checked_; }

 private:
  // The message at a path of the probe, in another plan.
  static Message* At(Message* message, std::string_view path) {
    while (!path.empty()) {
      const std::string step(path.substr(0, path.find('.')));
      path.remove_prefix(std::min(path.size(), step.size() + 1));
      const size_t bracket = step.find('[');
      const auto* field = message->GetDescriptor()->FindFieldByName(step.substr(0, bracket));
      const auto* reflection = message->GetReflection();
      message = bracket == std::string::npos
                    ? reflection->MutableMessage(message, field)
                    : reflection->MutableRepeatedMessage(message, field,
                                                         std::stoi(step.substr(bracket + 1)));
    }
    return message;
  }

  void CheckField(const Message& message, const FieldDescriptor* field, const std::string& path,
                  const std::string& child, const v1::RunConfig* run) {
    const auto known = fields_.find(field->full_name());
    ASSERT_NE(known, fields_.end()) << field->full_name();
    v1::PlanConfig without = probe_;
    Message* cleared = At(&without, path);
    cleared->GetReflection()->ClearField(cleared, field);
    const v1::PlanConfig resolved = ResolvePlan(without);
    for (const StatedDefault& stated : known->second.defaults) {
      // A condition on a field beside this one is of the message without this one.
      const bool own = absl::EndsWith(stated.condition, " " + field->name());
      if (!Holds(stated.condition, probe_, run, own ? message : *cleared)) continue;
      ++checked_;
      SCOPED_TRACE(absl::StrCat(child, ": ", stated.value, " ", stated.condition));
      if (stated.value == "required") {
        // A choice that a message does without is another's: see the oneof.
        EXPECT_FALSE(FindPlanProblems(resolved, Capabilities()).empty());
      } else if (stated.value == "unset") {
        v1::PlanConfig after = resolved;
        Message* left = At(&after, path);
        EXPECT_EQ(field->is_repeated() ? left->GetReflection()->FieldSize(*left, field)
                                       : left->GetReflection()->HasField(*left, field),
                  0);
      } else {
        ExpectFilledIn(without, resolved, path, child, field, stated.value);
      }
      return;
    }
    // A message may be told by its fields; a value never goes without.
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      ADD_FAILURE() << child << " states no default that holds here";
    }
  }

  // Cleared and resolved is the same as set to what is stated and resolved.
  void ExpectFilledIn(const v1::PlanConfig& without, const v1::PlanConfig& resolved,
                      const std::string& path, const std::string& child,
                      const FieldDescriptor* field, std::string value) {
    if (const auto words = Words().find(value); words != Words().end()) value = words->second;
    v1::PlanConfig with = without;
    PositionMap positions;
    const absl::Status set = ApplySetting(absl::StrCat(child, "=", value), &with, &positions);
    ASSERT_TRUE(set.ok()) << set;
    const v1::PlanConfig expected = ResolvePlan(with);
    EXPECT_TRUE(MessageDifferencer::Equals(expected, resolved)) << RenderYaml(resolved);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return;
    // A stated zero that is replaced is no default.
    const v1::PlanConfig* plans[] = {&with, &resolved};
    std::string shown[2];
    for (int i = 0; i < 2; ++i) {
      v1::PlanConfig copy = *plans[i];
      Message* at = At(&copy, path);
      const std::unique_ptr<Message> alone(at->New());
      std::vector<const FieldDescriptor*> others;
      alone->CopyFrom(*at);
      alone->GetReflection()->ListFields(*alone, &others);
      for (const FieldDescriptor* other : others) {
        if (other != field) alone->GetReflection()->ClearField(alone.get(), other);
      }
      shown[i] = RenderYaml(*alone);
    }
    EXPECT_EQ(shown[0], shown[1]);
  }

  const v1::PlanConfig probe_;
  std::map<std::string, FieldReference> fields_;
  std::set<std::string> seen_;
  int checked_ = 0;
};

// Kinds of outputs that no teacher server gives yet.
const std::set<std::string> kOfNoPlan = {"distill.v1.OutputSpec.Feature",
                                         "distill.v1.OutputSpec.AttentionMap",
                                         "distill.v1.OutputSpec.Gram"};

TEST(PlanReference, StatedDefaultsAreThoseThatAreFilledInAndRequiredFieldsAreAsked) {
  const v1::PlanConfig probe = Parsed(kProbe);
  const auto problems = FindPlanProblems(ResolvePlan(probe), Capabilities());
  for (const FieldProblem& problem : problems) {
    ADD_FAILURE() << problem.path << ": " << problem.message;
  }
  DefaultsCheck check(probe);
  check.Walk(probe, "", nullptr);
  EXPECT_GT(check.checked(), 150);
  for (const FieldReference& field : PlanFields()) {
    EXPECT_TRUE(kOfNoPlan.contains(field.message) || check.seen().contains(field.message))
        << field.message;
  }
}

TEST(PlanReference, EveryFieldSaysWhatItIs) {
  for (const FieldReference& field : PlanFields()) {
    EXPECT_FALSE(field.comment.empty()) << field.message << "." << field.name;
    EXPECT_EQ(field.comment.find("Default:"), std::string::npos) << field.name;
  }
}

}  // namespace
}  // namespace distill
