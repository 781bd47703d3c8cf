#include "distillation/run_config/plan_checks.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/nearest_name.h"
#include "common/status/error_catalogue.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/order/order.h"
#include "distillation/run_config/share.h"
#include "distillation/run_config/teachers.h"
#include "distillation/schedules/schedule.h"
#include "distillation/schedules/schedule_timeline.h"

namespace distill {
namespace {

constexpr size_t kMaxName = 64;
constexpr uint32_t kMaxWindowSteps = 1024;
// Of a run directory.
constexpr char kLogs[] = "logs";

bool IsPositive(double value) { return std::isfinite(value) && value > 0; }

// Names become folders, metric labels and parts of --set paths.
bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName && name[0] != '-' &&
         std::ranges::all_of(
             name, [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
}

class Finder {
 public:
  Finder(const v1::PlanConfig& plan, const PlanCapabilities& capabilities)
      : plan_(plan), capabilities_(capabilities) {}

  std::vector<FieldProblem> Find() {
    CheckName("name", plan_.name());
    CheckUnique("data_sets", plan_.data_sets());
    CheckUnique("runs", plan_.runs());
    for (int i = 0; i < plan_.data_sets_size(); ++i) {
      CheckDataSet(absl::StrCat("data_sets[", i, "]"), plan_.data_sets(i));
    }
    if (plan_.runs().empty()) Add("runs", "the plan has no run; add one");
    for (int i = 0; i < plan_.runs_size(); ++i) {
      CheckRun(absl::StrCat("runs[", i, "]"), plan_.runs(i));
    }
    if (const auto order = RunOrder(plan_); !order.ok()) {
      problems_.push_back({"runs", std::string(order.status().message()), ErrorId::kRunsInACircle});
    }
    CheckProcesses();
    return std::move(problems_);
  }

 private:
  void Add(const std::string& path, const std::string& message) {
    problems_.push_back({path, message});
  }
  void Require(bool holds, const std::string& path, const std::string& message) {
    if (!holds) Add(path, message);
  }

  void CheckName(const std::string& path, const std::string& name) {
    Require(IsName(name), path,
            absl::StrCat("'", name, "' is not a name: 1 to ", kMaxName,
                         " of letters, digits, '_' and '-', not beginning with '-'"));
  }

  template <typename Messages>
  void CheckUnique(const std::string& path, const Messages& messages) {
    std::set<std::string> seen;
    for (int i = 0; i < messages.size(); ++i) {
      const std::string where = absl::StrCat(path, "[", i, "].name");
      CheckName(where, messages[i].name());
      Require(seen.insert(messages[i].name()).second, where,
              absl::StrCat("'", messages[i].name(), "' is used twice; names are unique"));
    }
  }

  void CheckFile(const std::string& path, const v1::ArrayFile& file) {
    Require(!file.path().empty(), path + ".path", "no file is named");
    const std::string& digest = file.sha256();
    Require(digest.empty() ||
                (digest.size() == 64 && std::ranges::all_of(digest,
                                                            [](unsigned char c) {
                                                              return absl::ascii_isxdigit(c) &&
                                                                     !absl::ascii_isupper(c);
                                                            })),
            path + ".sha256", "a SHA-256 has 64 digits of 0-9 and a-f");
  }

  void CheckDataSet(const std::string& path, const v1::DataSetConfig& data_set) {
    if (data_set.has_idx()) {
      CheckFile(path + ".idx.train_images", data_set.idx().train_images());
      CheckFile(path + ".idx.train_labels", data_set.idx().train_labels());
      CheckFile(path + ".idx.test_images", data_set.idx().test_images());
      CheckFile(path + ".idx.test_labels", data_set.idx().test_labels());
    } else if (data_set.has_npy()) {
      CheckFile(path + ".npy.train_examples", data_set.npy().train_examples());
      CheckFile(path + ".npy.train_labels", data_set.npy().train_labels());
      CheckFile(path + ".npy.test_examples", data_set.npy().test_examples());
      CheckFile(path + ".npy.test_labels", data_set.npy().test_labels());
    } else {
      Add(path, "the data set has no source; give idx or npy");
    }
    Require(data_set.classes() >= 2, path + ".classes", "a classifier needs at least 2 classes");
    Require(IsPositive(data_set.scale()), path + ".scale", "must be finite and above 0");
    Require(std::isfinite(data_set.mean()), path + ".mean", "must be finite");
    Require(IsPositive(data_set.deviation()), path + ".deviation", "must be finite and above 0");
  }

  void CheckRun(const std::string& path, const v1::RunConfig& run) {
    Require(run.name() != kLogs, path + ".name",
            absl::StrCat("'", kLogs, "' is the folder of what processes say, beside those of the ",
                         "runs; choose another name"));
    Require(FindByName(plan_.data_sets(), run.data_set()) != nullptr, path + ".data_set",
            absl::StrCat("there is no data set '", run.data_set(), "'; ",
                         Known(run.data_set(), plan_.data_sets())));
    const absl::Status model = capabilities_.check_model(run.model());
    Require(model.ok(), path + ".model", std::string(model.message()));
    if (run.has_labelled_subset()) {
      Require(run.labelled_subset().examples() > 0, path + ".labelled_subset.examples",
              "must be at least 1");
    }
    CheckModelSource(path, run);
    CheckTeachers(path, run);
    CheckObjective(path, run);
    CheckSchedules(path, run);
    CheckTraining(path + ".training", run);
    CheckLabels(path + ".labels", run);
  }

  // Where the model comes from decides whether it can be trained.
  void CheckModelSource(const std::string& path, const v1::RunConfig& run) {
    Require(
        run.export_only() || !run.model().has_aot_inductor(), path + ".model.aot_inductor",
        "a compiled package cannot be trained; take it as it is with export_only: true, or give "
        "the module as torch_script");
    if (!run.export_only()) return;
    Require(run.model().program_case() != v1::ModelConfig::PROGRAM_NOT_SET, path + ".export_only",
            "an architecture has no values before it is trained; give the model a file, "
            "torch_script or aot_inductor");
    Require(run.teachers().empty(), path + ".teachers",
            "a run with export_only learns nothing; remove its teachers, or export_only");
    Require(run.training().steps() == 0, path + ".training.steps",
            "a run with export_only takes no step; remove training, or export_only");
  }

  void CheckTeachers(const std::string& path, const v1::RunConfig& run) {
    std::set<std::string> roles;
    for (int i = 0; i < run.teachers_size(); ++i) {
      const std::string where = absl::StrCat(path, ".teachers[", i, "]");
      const v1::TeacherConfig& teacher = run.teachers(i);
      CheckName(where + ".role", teacher.role());
      CheckKinds(where + ".outputs", teacher);
      Require(roles.insert(teacher.role()).second, where + ".role",
              absl::StrCat("'", teacher.role(), "' is used twice; roles are unique"));
      if (IsRecorded(teacher)) CheckRecorded(path, where, run, teacher);
      if (IsRecorded(teacher) && teacher.run().empty()) continue;
      const v1::RunConfig* source = FindByName(plan_.runs(), teacher.run());
      if (source == nullptr) {
        Add(where + ".run", absl::StrCat("there is no run '", teacher.run(), "'; ",
                                         Known(teacher.run(), plan_.runs())));
        continue;
      }
      CheckOutputs(where + ".outputs", teacher, source->model());
      const v1::DataSetConfig* ours = FindByName(plan_.data_sets(), run.data_set());
      const v1::DataSetConfig* theirs = FindByName(plan_.data_sets(), source->data_set());
      if (ours == nullptr || theirs == nullptr) continue;
      Require(ours->classes() == theirs->classes(), where + ".run",
              absl::StrCat("the teacher knows ", theirs->classes(), " classes and the student ",
                           ours->classes(), "; their data sets must have the same classes"));
    }
  }

  // Of the kinds that the protocol has words for, teacher servers give one.
  void CheckKinds(const std::string& path, const v1::TeacherConfig& teacher) {
    CheckUnique(path, teacher.outputs());
    for (int i = 0; i < teacher.outputs_size(); ++i) {
      Require(
          teacher.outputs(i).has_logits(), absl::StrCat(path, "[", i, "]"),
          "teacher servers give logits alone; write logits: {}, with a name that the model has");
    }
  }

  // A program declares what it gives.
  void CheckOutputs(const std::string& path, const v1::TeacherConfig& teacher,
                    const v1::ModelConfig& model) {
    std::vector<std::string> given = {"logits"};
    if (model.program_case() != v1::ModelConfig::PROGRAM_NOT_SET) {
      const auto& file = model.has_aot_inductor() ? model.aot_inductor() : model.torch_script();
      given.assign(file.outputs().begin(), file.outputs().end());
    }
    for (const v1::OutputSpec& output : teacher.outputs()) {
      Require(std::ranges::find(given, output.name()) != given.end(), path,
              absl::StrCat("the model of run '", teacher.run(), "' declares no output '",
                           output.name(), "'; ", KnownNames(output.name(), given)));
    }
  }

  void CheckRecorded(const std::string& path, const std::string& where, const v1::RunConfig& run,
                     const v1::TeacherConfig& teacher) {
    Require(teacher.outputs_size() == 1, where + ".outputs",
            absl::StrCat("a label set holds one output, and the teacher has ",
                         teacher.outputs_size(), "; give each a role of its own"));
    Require(!Augments(run.view()) || run.view().views_per_example() > 0,
            path + ".view.views_per_example",
            "every epoch has a view of its own, and a label set holds a few views of each example; "
            "set it to as many as were recorded");
  }

  void CheckObjective(const std::string& path, const v1::RunConfig& run) {
    Require(!run.objective().empty(), path + ".objective",
            "a run with teachers says what it learns from them; add a term such as soft_kl");
    CheckUnique(path + ".objective", run.objective());
    for (int i = 0; i < run.objective_size(); ++i) {
      const std::string where = absl::StrCat(path, ".objective[", i, "]");
      const v1::TermConfig& term = run.objective(i);
      if (term.has_soft_kl()) {
        CheckSource(where + ".soft_kl", run, term.soft_kl().teacher(), term.soft_kl().output());
      } else if (term.has_logit_mse()) {
        CheckSource(where + ".logit_mse", run, term.logit_mse().teacher(),
                    term.logit_mse().output());
      } else {
        Require(term.has_hard_cross_entropy(), where,
                "the term has no kind; give hard_cross_entropy, soft_kl or logit_mse");
      }
      Require(term.weight() != v1::TermConfig::TERM_WEIGHT ||
                  run.schedules().term_weights().contains(term.name()),
              where + ".weight",
              absl::StrCat("TERM_WEIGHT needs schedules.term_weights.", term.name()));
    }
  }

  // A term's teacher and output must be declared by the run.
  void CheckSource(const std::string& path, const v1::RunConfig& run, const std::string& role,
                   const std::string& output) {
    for (const v1::TeacherConfig& teacher : run.teachers()) {
      if (teacher.role() != role) continue;
      Require(FindByName(teacher.outputs(), output) != nullptr, path + ".output",
              absl::StrCat("teacher '", role, "' gives no output '", output, "'; ",
                           Known(output, teacher.outputs())));
      return;
    }
    std::vector<std::string> roles;
    for (const v1::TeacherConfig& teacher : run.teachers()) roles.push_back(teacher.role());
    Add(path + ".teacher",
        absl::StrCat("the run has no teacher in the role '", role,
                     "'; add it to teachers, or name one of those", roles.empty() ? "" : "; ",
                     roles.empty() ? "" : KnownNames(role, roles)));
  }

  void CheckSchedules(const std::string& path, const v1::RunConfig& run) {
    if (!run.schedules().has_learning_rate()) {
      Add(path + ".schedules.learning_rate", "a learning rate has no default; give one");
      return;
    }
    for (const FieldProblem& problem : FindScheduleSetProblems(run.schedules())) {
      Add(absl::StrCat(path, ".schedules.", problem.path), problem.message);
    }
  }

  void CheckTraining(const std::string& path, const v1::RunConfig& run) {
    const v1::TrainingConfig& training = run.training();
    Require(training.steps() >= 1 || run.export_only(), path + ".steps", "must be at least 1");
    Require(training.global_batch_size() >= 1, path + ".global_batch_size", "must be at least 1");
    Require(training.world_size() >= 1 && training.global_batch_size() % training.world_size() == 0,
            path + ".global_batch_size",
            absl::StrCat(training.global_batch_size(), " examples do not divide over a world of ",
                         training.world_size(), " ranks"));
    Require(training.world_size() <= plan_.processes().student_workers(), path + ".world_size",
            absl::StrCat("the plan starts only ", plan_.processes().student_workers(),
                         " student workers; raise processes.student_workers"));
    Require(!training.has_gradient_clip_norm() || IsPositive(training.gradient_clip_norm()),
            path + ".gradient_clip_norm", "must be finite and above 0; leave it out for none");
    Require(training.checkpoint_every_steps() >= 1, path + ".checkpoint_every_steps",
            "must be at least 1");
    Require(training.evaluate_every_steps() >= 0, path + ".evaluate_every_steps",
            "must not be negative");
    if (AsksTeacherServers(run) && training.world_size() >= 1) {
      const uint32_t of_a_rank = training.global_batch_size() / training.world_size();
      const uint32_t at_most = plan_.serving().max_batch_examples();
      Require(of_a_rank <= at_most, path + ".global_batch_size",
              absl::StrCat("a rank asks for the labels of ", of_a_rank,
                           " examples at once, and a teacher server takes at most ", at_most,
                           "; raise serving.max_batch_examples, or use more ranks"));
    }
    if (training.has_sgd()) CheckSgd(path + ".sgd", training.sgd());
    if (training.has_adamw()) CheckAdamW(path + ".adamw", training.adamw());
  }

  void CheckSgd(const std::string& path, const v1::TrainingConfig::Sgd& sgd) {
    Require(sgd.momentum() >= 0 && sgd.momentum() < 1, path + ".momentum",
            "must be at least 0 and below 1");
    Require(!sgd.nesterov() || sgd.momentum() > 0, path + ".nesterov",
            "Nesterov's momentum needs a momentum above 0");
    Require(std::isfinite(sgd.weight_decay()) && sgd.weight_decay() >= 0, path + ".weight_decay",
            "must be finite and not negative");
  }

  void CheckAdamW(const std::string& path, const v1::TrainingConfig::AdamW& adamw) {
    const auto fraction = [](double value) { return value > 0 && value < 1; };
    Require(fraction(adamw.beta1()), path + ".beta1", "must lie between 0 and 1");
    Require(fraction(adamw.beta2()), path + ".beta2", "must lie between 0 and 1");
    Require(IsPositive(adamw.epsilon()), path + ".epsilon", "must be finite and above 0");
    Require(std::isfinite(adamw.weight_decay()) && adamw.weight_decay() >= 0,
            path + ".weight_decay", "must be finite and not negative");
  }

  void CheckLabels(const std::string& path, const v1::RunConfig& run) {
    const v1::LabelConfig& labels = run.labels();
    Require(labels.window_steps() <= kMaxWindowSteps, path + ".window_steps",
            absl::StrCat("must be at most ", kMaxWindowSteps));
    Require(IsPositive(labels.request_timeout_seconds()), path + ".request_timeout_seconds",
            "must be finite and above 0");
    Require(!labels.has_share() || IsShare(labels.share()), path + ".share",
            absl::StrCat("must be ", kMinShare, " to ", kMaxShare));
    for (int i = 0; i < labels.codecs_size(); ++i) {
      CheckCodec(absl::StrCat(path, ".codecs[", i, "]"), run, labels.codecs(i));
    }
  }

  // Any of those named may be the one that is taken, so all must suit the run.
  void CheckCodec(const std::string& path, const v1::RunConfig& run, const std::string& name) {
    const auto& known = capabilities_.codecs;
    const auto codec = FindCodec(name);
    if (!IsSupportedCodec(name, known)) {
      // What is wrong with its numbers, where the family is known.
      const bool family = std::ranges::find(known, name.substr(0, name.find('/'))) != known.end();
      Add(path, family && !codec.ok() ? std::string(codec.status().message())
                                      : absl::StrCat("there is no codec '", name,
                                                     "'; known: ", absl::StrJoin(known, ", ")));
      return;
    }
    if (!codec.ok() || (*codec)->layout() != LabelLayout::kSparse) return;
    if (!AsksTeacherServers(run)) return;  // recorded labels are dense
    for (const v1::TermConfig& term : run.objective()) {
      Require(!term.has_logit_mse(), path,
              absl::StrCat("the term '", term.name(), "' (logit_mse) needs the logits of all ",
                           "classes, and ", name, " carries a few; take a dense codec such as ",
                           "dense_fp32, or the term soft_kl"));
    }
    const auto temperature =
        ScheduleFunction::Create(run.schedules().temperature(), ScheduleKind::kTemperature);
    if (!temperature.ok()) return;  // has been named
    const auto [low, high] = temperature->Bounds(run.training().steps());
    const absl::Status suits = FindCodecForRun(name, low, high).status();
    Require(suits.ok(), path, std::string(suits.message()));
  }

  void CheckProcesses() {
    const v1::ServingConfig& serving = plan_.serving();
    Require(serving.max_queue_examples() >= serving.max_batch_examples(),
            "serving.max_queue_examples", "the queue must hold at least one batch");
    Require(
        std::isfinite(serving.max_queue_delay_seconds()) && serving.max_queue_delay_seconds() >= 0,
        "serving.max_queue_delay_seconds", "must be finite and not negative");
    const double canary = serving.canary_interval_seconds();
    Require(canary == 0 || (std::isfinite(canary) && canary >= 0.01),
            "serving.canary_interval_seconds", "must be 0, or finite and at least 0.01");
  }

  template <typename Messages>
  static auto FindByName(const Messages& messages, const std::string& name)
      -> decltype(&messages[0]) {
    for (const auto& message : messages) {
      if (message.name() == name) return &message;
    }
    return nullptr;
  }

  // "known: a, b; did you mean b?"
  static std::string KnownNames(const std::string& name, const std::vector<std::string>& known) {
    const std::string nearest = NearestName(name, known);
    return absl::StrCat("known: ", absl::StrJoin(known, ", "),
                        nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?"));
  }
  template <typename Messages>
  static std::string Known(const std::string& name, const Messages& messages) {
    std::vector<std::string> known;
    for (const auto& message : messages) known.push_back(message.name());
    return KnownNames(name, known);
  }

  const v1::PlanConfig& plan_;
  const PlanCapabilities& capabilities_;
  std::vector<FieldProblem> problems_;
};

}  // namespace

std::vector<FieldProblem> FindPlanProblems(const v1::PlanConfig& plan,
                                           const PlanCapabilities& capabilities) {
  return Finder(plan, capabilities).Find();
}

absl::StatusOr<std::vector<std::string>> RunOrder(const v1::PlanConfig& plan) {
  std::set<std::string> known, done;
  for (const v1::RunConfig& run : plan.runs()) known.insert(run.name());
  std::vector<std::string> order;
  while (order.size() < static_cast<size_t>(plan.runs_size())) {
    const auto ready = std::ranges::find_if(plan.runs(), [&](const v1::RunConfig& run) {
      return !done.contains(run.name()) &&
             std::ranges::all_of(run.teachers(), [&](const v1::TeacherConfig& teacher) {
               // An unknown run is another problem than a circle.
               return done.contains(teacher.run()) || !known.contains(teacher.run());
             });
    });
    if (ready == plan.runs().end()) break;
    order.push_back(ready->name());
    done.insert(ready->name());
  }
  if (done.size() == known.size()) return order;
  std::vector<std::string> circle;
  std::ranges::set_difference(known, done, std::back_inserter(circle));
  return absl::InvalidArgumentError(
      absl::StrCat("these runs wait for one another as teachers: ", absl::StrJoin(circle, ", ")));
}

}  // namespace distill
