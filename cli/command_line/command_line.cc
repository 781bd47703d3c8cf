#include "cli/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/command_line/command_examples.h"
#include "cli/command_line/completion_point.h"
#include "cli/command_line/output_flags.h"
#include "cli/command_line/usage_error.h"
#include "cli/command_line/value_checks.h"
#include "common/config/nearest_name.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

constexpr char kDescription[] =
    "Runs knowledge distillation: teachers that serve soft labels, students that train on them.";

constexpr char kFooter[] =
    "A flag goes before its environment variable (Env: above), which goes before the plan's own\n"
    "value, which goes before the default.\n"
    "\n"
    "Exit codes: 0 done, 1 run failed, 2 usage, 3 configuration, 4 unreachable, 5 refused,\n"
    "6 stopped and resumable, 7 data, 130 interrupted.";

// Kinds of values, which help shows and completion goes by.
constexpr char kPlan[] = "PLAN";
constexpr char kDir[] = "DIR";
constexpr char kRun[] = "RUN";
constexpr char kField[] = "FIELD";
constexpr char kMetric[] = "METRIC";
constexpr char kId[] = "ID";
constexpr char kShell[] = "SHELL";

constexpr char kCoordinatorVariable[] = "DISTILL_COORDINATOR";

// Groups of flags in help.
constexpr char kWhere[] = "Where";
constexpr char kChanges[] = "Changes to the plan";
constexpr char kWhich[] = "Which labels";
constexpr char kWho[] = "Who answers";

// Of what is a list.
std::vector<OutputForm> ListForms() {
  return {OutputForm::kTable, OutputForm::kWide, OutputForm::kJson, OutputForm::kYaml,
          OutputForm::kName};
}
// Of a list that is a page of docs/ too.
std::vector<OutputForm> PageForms() {
  std::vector<OutputForm> forms = ListForms();
  forms.push_back(OutputForm::kMarkdown);
  return forms;
}

// The grammar, writing what it reads into its members.
class Grammar {
 public:
  Grammar() : app_(kDescription, "distillctl") {
    app_.footer(kFooter);
    // Answered before the rest is read.
    app_.add_flag("--version")
        ->description("What this program is and was built with; --json for scripts");
    app_.require_subcommand(1);
    AddRun();
    AddOnRunDirectory();
    AddLabel();
    AddConfig();
    AddMetrics();
    AddWatching();
    AddModel();
    AddExplain();
    AddDoctor();
    AddCompletion();
    RefuseEmpty(app_, kDir);
  }

  Command Parse(std::vector<std::string> arguments) {
    const std::vector<std::string> given = arguments;
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      RefuseFlagsWithoutValue(given);
      app_.parse(arguments);
      return Parsed();
    } catch (const CLI::Success&) {
      return PrintAndExit{HelpOf(Innermost(given)), ExitCode::kDone};
    } catch (const CLI::ParseError& error) {
      // CLI11 checks a value before it sees a later -h.
      const auto asks = [](const std::string& word) { return word == "-h" || word == "--help"; };
      if (std::ranges::any_of(given, asks)) {
        return PrintAndExit{HelpOf(Innermost(given)), ExitCode::kDone};
      }
      return PrintAndExit{Usage(error, given), ExitCode::kUsage};
    }
  }

  // docs/commands.md.
  std::string Page() {
    std::string page =
        "# Commands\n\nWhat `--help` prints of each command. Written by `distillctl reference`; a "
        "test holds the two together.\n";
    AppendPage(&app_, &page);
    return page;
  }

  CompletionPoint PointAt(const std::vector<std::string>& words) {
    return FindCompletionPoint(&app_, words);
  }

 private:
  void AddRun() {
    run_ = app_.add_subcommand("run", "Run a plan: start its processes here, watch, report");
    AddPlan(run_, &run_command_.config);
    run_->add_option("--run-dir", run_command_.run_dir, "New folder for all results")
        ->required()
        ->type_name(kDir)
        ->envname("DISTILL_RUN_DIR")
        ->group(kWhere);
    AddSettings(run_, &run_command_.settings);
    seed_option_ = run_->add_option("--seed", seed_, "Override the plan's seed")
                       ->envname("DISTILL_SEED")
                       ->transform(WholeNumber())
                       ->group(kChanges);
    run_->add_option("--coordinator", run_command_.coordinator,
                     "Submit to a coordinator that runs at host:port; start here only what "
                     "compares the models at the end")
        ->envname(kCoordinatorVariable)
        ->check(NotEmpty())
        ->group(kWhere);
    AddDryRun(run_, &run_command_.dry_run);
    AddColorFlag(*run_, run_command_.color);
    AddModelFlags(*run_, run_command_.models);
  }

  static void AddPlan(CLI::App* app, std::string* config) {
    app->add_option("config", *config, "The plan, YAML or JSON")->required()->type_name(kPlan);
  }
  static void AddSettings(CLI::App* app, std::vector<std::string>* settings) {
    app->add_option("--set", *settings, "Override a field: field.path=value")
        ->take_all()
        ->expected(1)
        ->group(kChanges);
  }
  static void AddRunDirectory(CLI::App* app, std::string* run_dir) {
    app->add_option("dir", *run_dir, "A run directory")->required()->type_name(kDir);
  }
  // Not from the environment: a variable that was set for another plan would go before the
  // directory that is named.
  static CLI::Option* AddCoordinator(CLI::App* app, std::string* coordinator) {
    return app
        ->add_option("--coordinator", *coordinator,
                     "host:port, where the processes were started by hand")
        ->check(NotEmpty())
        ->group(kWhere);
  }
  static void AddDryRun(CLI::App* app, bool* dry_run) {
    app->add_flag("--dry-run", *dry_run,
                  "Say what would be started, contacted and written; change nothing");
  }

  void AddOnRunDirectory() {
    resume_ = app_.add_subcommand("resume", "Go on from the last committed checkpoints");
    AddRunDirectory(resume_, &resume_command_.run_dir);
    AddCoordinator(resume_, &resume_command_.coordinator);
    AddDryRun(resume_, &resume_command_.dry_run);
    AddColorFlag(*resume_, resume_command_.color);
    AddModelFlags(*resume_, resume_command_.models);
    stop_ = app_.add_subcommand("stop", "Stop a plan and its processes");
    AddRunDirectory(stop_, &stop_command_.run_dir);
    AddCoordinator(stop_, &stop_command_.coordinator);
    stop_->add_flag("--yes", stop_command_.yes, "Do not ask; required without a terminal");
    AddDryRun(stop_, &stop_command_.dry_run);
    status_ = app_.add_subcommand("status", "What a plan is doing");
    AddRunDirectory(status_, &status_command_.run_dir);
    AddCoordinator(status_, &status_command_.coordinator);
    AddOutputFlags(*status_, ListForms(), status_command_.output);
    AddColorFlag(*status_, status_command_.color);
    digest_ = app_.add_subcommand("digest", "SHA-256 of the latest weights of each run");
    digest_->add_option("dir", digest_command_.path, "DIR or DIR/RUN")->required()->type_name(kDir);
  }

  void AddLabel() {
    label_ = app_.add_subcommand("label", "Record a finished teacher's labels for later runs");
    AddPlan(label_, &label_command_.config);
    label_->add_option("--run", label_command_.run, "The run of the plan that will use them")
        ->required()
        ->type_name(kRun)
        ->group(kWhich);
    label_
        ->add_option("--run-dir", label_command_.run_dir,
                     "Where the plan's teacher was trained: holds TEACHER/export")
        ->required()
        ->type_name(kDir)
        ->group(kWhere);
    label_->add_option("--out", label_command_.out, "Folder of the label set; goes on if there")
        ->required()
        ->type_name(kDir)
        ->group(kWhere);
    label_->add_option("--role", label_command_.role, "Which teacher, where the run has several")
        ->group(kWhich);
    AddSettings(label_, &label_command_.settings);
    label_seed_option_ = label_->add_option("--seed", label_seed_, "Override the plan's seed")
                             ->envname("DISTILL_SEED")
                             ->transform(WholeNumber())
                             ->group(kChanges);
    AddDryRun(label_, &label_command_.dry_run);
    label_
        ->add_option("--teachers", label_command_.teachers,
                     "host:port,... of teacher servers that run already")
        ->delimiter(',')
        ->group(kWho);
    label_
        ->add_option("--teacher-servers", label_command_.teacher_servers,
                     "How many to start here; without it as many as the plan has")
        ->check(CLI::Range(1, 64))
        ->group(kWho);
    label_
        ->add_option("--threads", label_command_.threads,
                     "Of each of these; without it as many as the plan has")
        ->check(CLI::Range(1, 1024))
        ->group(kWho);
    label_
        ->add_option("--block-rows", label_command_.block_rows,
                     "Rows of one inference batch: a set of another size has other bytes")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str()
        ->group(kWhich);
    AddModelFlags(*label_, label_command_.models);
  }

  void AddConfig() {
    config_ = app_.add_subcommand("config", "Look at a plan without running it");
    config_->require_subcommand(1);
    show_ = config_->add_subcommand("show", "Print the plan with every default filled in");
    AddPlan(show_, &show_command_.config);
    AddSettings(show_, &show_command_.settings);
    show_->add_flag("--origin", show_command_.origin,
                    "Say of each value where it comes from: the file, --set, or default");
    validate_ = config_->add_subcommand("validate", "List everything that is wrong with a plan");
    AddPlan(validate_, &validate_command_.config);
    AddSettings(validate_, &validate_command_.settings);
    explain_ = config_->add_subcommand("explain", "What a field means, and its default");
    explain_
        ->add_option("field", config_explain_command_.field,
                     "Its path, or the end of it; without it the top level")
        ->type_name(kField);
    reference_ = config_->add_subcommand("reference", "All fields, as docs/configuration.md");
  }

  void AddModel() {
    model_ = app_.add_subcommand("model", "Models from files");
    model_->require_subcommand(1);
    manifest_ = model_->add_subcommand(
        "manifest", "Write a model directory's manifest: which files processes may load");
    manifest_->add_option("dir", model_manifest_command_.dir, "A folder of .pt and .pt2 files")
        ->required()
        ->type_name(kDir);
    AddDryRun(manifest_, &model_manifest_command_.dry_run);
  }

  void AddMetrics() {
    metrics_ = app_.add_subcommand("metrics", "What the processes tell Prometheus");
    metrics_->require_subcommand(1);
    list_ = metrics_->add_subcommand("list", "Every metric, by name");
    AddOutputFlags(*list_, PageForms(), metrics_list_command_.output);
    metrics_explain_ = metrics_->add_subcommand("explain", "What one metric means");
    metrics_explain_->add_option("name", metrics_explain_command_.name, "Its name")
        ->required()
        ->type_name(kMetric);
  }

  void AddExplain() {
    explain_error_ = app_.add_subcommand("explain", "What an error id means and what to do");
    explain_error_->add_option("id", explain_command_.id, "Such as DST-1101; without it all")
        ->type_name(kId);
    AddOutputFlags(*explain_error_, PageForms(), explain_command_.output);
  }

  void AddDoctor() {
    doctor_ = app_.add_subcommand("doctor", "Check this machine, and a plan's files, before a run");
    doctor_->add_option("--config", doctor_command_.config, "The plan to check too")
        ->type_name(kPlan);
    AddSettings(doctor_, &doctor_command_.settings);
    doctor_->add_option("--run-dir", doctor_command_.run_dir, "Where its results would go")
        ->type_name(kDir)
        ->capture_default_str()
        ->group(kWhere);
    AddModelFlags(*doctor_, doctor_command_.models);
    AddOutputFlags(*doctor_, {OutputForm::kTable, OutputForm::kJson, OutputForm::kYaml},
                   doctor_command_.output);
  }

  void AddCompletion() {
    command_reference_ =
        app_.add_subcommand("reference", "All commands and flags, as docs/commands.md");
    completion_ = app_.add_subcommand("completion", "A script that completes distillctl's words");
    completion_->add_option("shell", completion_command_.shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->type_name(kShell);
  }

  // The two that show a plan as it goes on.
  static CLI::App* AddView(CLI::App& app, const std::string& name, const std::string& what,
                           std::string& run_dir, std::string& coordinator, bool& json,
                           ColorChoice& color) {
    CLI::App* view = app.add_subcommand(name, what);
    view->add_option("dir", run_dir, "A run directory")->type_name(kDir);
    AddCoordinator(view, &coordinator)
        ->description(absl::StrCat("host:port, where the processes were started by hand; without ",
                                   "DIR also ", kCoordinatorVariable));
    view->add_flag("--json", json, "One object an update, a line each, on stdout");
    AddColorFlag(*view, color);
    view->callback([name, &run_dir, &coordinator] {
      const char* variable = std::getenv(kCoordinatorVariable);
      if (run_dir.empty() && coordinator.empty() && variable != nullptr) coordinator = variable;
      if (run_dir.empty() && coordinator.empty()) {
        throw CLI::ValidationError(name, "a run directory or --coordinator is required");
      }
    });
    return view;
  }

  void AddWatching() {
    watch_ = AddView(app_, "watch", "Follow a plan until it ends", watch_command_.run_dir,
                     watch_command_.coordinator, watch_command_.json, watch_command_.color);
    top_ = AddView(app_, "top", "Students, teacher servers, and what bounds the run, as they are",
                   top_command_.run_dir, top_command_.coordinator, top_command_.json,
                   top_command_.color);
    logs_ = app_.add_subcommand("logs", "What the processes of a run directory said");
    AddRunDirectory(logs_, &logs_command_.run_dir);
    logs_->add_option("process", logs_command_.process,
                      "One of them, e.g. teacher-0; without it all, each line with its name");
    logs_->add_flag("--follow,-f", logs_command_.follow, "Go on until the plan ends");
    tail_option_ =
        logs_->add_option("--tail", tail_, "Only the last lines of each")->transform(WholeNumber());
  }

  Command Parsed() {
    if (watch_->parsed()) return watch_command_;
    if (top_->parsed()) return top_command_;
    if (logs_->parsed()) {
      if (tail_option_->count() > 0) logs_command_.tail = tail_;
      return logs_command_;
    }
    if (run_->parsed()) {
      if (seed_option_->count() > 0) run_command_.seed = seed_;
      return run_command_;
    }
    if (resume_->parsed()) return resume_command_;
    if (stop_->parsed()) return stop_command_;
    if (status_->parsed()) return status_command_;
    if (label_->parsed()) {
      if (label_seed_option_->count() > 0) label_command_.seed = label_seed_;
      return label_command_;
    }
    if (digest_->parsed()) return digest_command_;
    if (show_->parsed()) return show_command_;
    if (manifest_->parsed()) return model_manifest_command_;
    if (list_->parsed()) return metrics_list_command_;
    if (metrics_explain_->parsed()) return metrics_explain_command_;
    if (explain_error_->parsed()) return explain_command_;
    if (doctor_->parsed()) return doctor_command_;
    if (command_reference_->parsed()) return CommandReferenceCommand();
    if (completion_->parsed()) return completion_command_;
    if (explain_->parsed()) return config_explain_command_;
    if (reference_->parsed()) return ConfigReferenceCommand();
    return validate_command_;
  }

  // The innermost command that was named.
  CLI::App* Innermost(const std::vector<std::string>& given) {
    CLI::App* app = &app_;
    for (const std::string& word : given) {
      if (CLI::App* next = ChildCommand(app, word); next != nullptr) app = next;
    }
    return app;
  }

  std::string HelpOf(CLI::App* app) {
    std::string text = "Examples:\n";
    for (const char* example : ExamplesOf(NameOf(app))) absl::StrAppend(&text, "  ", example, "\n");
    const CLI::App* parent = app->get_parent();
    return absl::StrCat(text, "\n", app->help(parent == nullptr ? "" : FullName(parent)));
  }

  static std::string FullName(const CLI::App* app) {
    const std::string name = NameOf(app);
    return absl::StrCat("distillctl", name.empty() ? "" : " ", name);
  }

  // "config show"; empty for distillctl.
  static std::string NameOf(const CLI::App* app) {
    const CLI::App* parent = app->get_parent();
    if (parent == nullptr) return "";
    const std::string before = NameOf(parent);
    return absl::StrCat(before, before.empty() ? "" : " ", app->get_name());
  }

  void AppendPage(CLI::App* app, std::string* page) {
    absl::StrAppend(page, "\n## ", FullName(app), "\n\n```\n", HelpOf(app), "```\n");
    for (CLI::App* command : app->get_subcommands({})) AppendPage(command, page);
  }

  std::string Usage(const CLI::ParseError& error, const std::vector<std::string>& given) {
    CLI::App* app = Innermost(given);
    std::string what = error.what();
    ErrorId id = UsageErrorId(error.get_name());
    const bool bare =
        app == &app_ || app == config_ || app == metrics_ || app == model_;  // a command is due
    for (const std::string& word : given) {
      if (!bare || word == app->get_name() || word.rfind('-', 0) == 0) continue;
      what = absl::StrCat("there is no command '", word, "'");
      id = ErrorId::kUnknownCommand;
      break;
    }
    const std::vector<std::string> known = WordsOf(app);
    // What CLI11 says first may follow from it: that a flag is missing whose name is misspelt.
    for (const std::string& word : given) {
      const std::string name = word.substr(0, word.find('='));
      if (word.rfind("--", 0) != 0 || std::ranges::find(known, name) != known.end()) continue;
      what = absl::StrCat("there is no flag '", name, "'");
      id = ErrorId::kUnknownFlag;
      break;
    }
    std::string text = absl::StrCat("distillctl: ", TextWithId(what, id), "\n");
    for (const std::string& word : given) {
      const std::string name = word.substr(0, word.find('='));
      const std::string nearest = NearestName(name, known);
      if (!nearest.empty() && nearest != name)
        absl::StrAppend(&text, "'", name, "' is not known. Did you mean '", nearest, "'?\n");
    }
    return absl::StrCat(text, "See '", FullName(app), " --help'.\nMore: distillctl explain ",
                        ErrorIdName(id), "\n");
  }

  CLI::App app_;
  CLI::App *run_, *resume_, *stop_, *status_, *label_, *digest_, *config_, *show_, *validate_;
  CLI::App *explain_, *reference_, *metrics_, *list_, *metrics_explain_, *model_, *manifest_;
  CLI::App *explain_error_, *doctor_, *completion_, *command_reference_;
  CLI::Option *seed_option_, *label_seed_option_;
  // One each: an environment variable goes to every option that has it.
  uint64_t seed_ = 0, label_seed_ = 0;
  RunCommand run_command_;
  ResumeCommand resume_command_;
  StopCommand stop_command_;
  StatusCommand status_command_;
  LabelCommand label_command_;
  DigestCommand digest_command_;
  ConfigShowCommand show_command_;
  ConfigValidateCommand validate_command_;
  MetricsListCommand metrics_list_command_;
  ConfigExplainCommand config_explain_command_;
  MetricsExplainCommand metrics_explain_command_;
  ExplainCommand explain_command_;
  DoctorCommand doctor_command_;
  CompletionCommand completion_command_;
  ModelManifestCommand model_manifest_command_;
  CLI::App *watch_, *top_, *logs_;
  CLI::Option* tail_option_;
  size_t tail_ = 0;
  WatchCommand watch_command_;
  TopCommand top_command_;
  LogsCommand logs_command_;
};

}  // namespace

Command ParseCommandLine(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "__complete") {
    // Behind "--", so that a word that is begun is not taken for a flag of this command.
    const size_t skipped = arguments.size() > 1 && arguments[1] == "--" ? 2 : 1;
    return CompleteCommand{{arguments.begin() + skipped, arguments.end()}};
  }
  if (!arguments.empty() && (arguments[0] == "--version" || arguments.back() == "--version")) {
    return VersionCommand{std::ranges::find(arguments, "--json") != arguments.end()};
  }
  return Grammar().Parse(arguments);
}

std::string CommandPage() { return Grammar().Page(); }

CompletionPoint FindCompletionPoint(const std::vector<std::string>& words) {
  return Grammar().PointAt(words);
}

}  // namespace distill
