#include "cli/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/nearest_name.h"

namespace distill {
namespace {

constexpr char kDescription[] =
    "Runs knowledge distillation: teachers that serve soft labels, students that train on them.\n"
    "\n"
    "Examples:\n"
    "  distillctl run examples/fashion_mnist.yaml --run-dir runs/first\n"
    "  distillctl status runs/first\n";

constexpr char kFooter[] =
    "Exit codes: 0 done, 1 run failed, 2 usage, 3 configuration, 4 unreachable, 5 refused,\n"
    "6 stopped and resumable, 7 data, 130 interrupted.";

// The grammar, writing what it reads into its members.
class Grammar {
 public:
  Grammar() : app_(kDescription, "distillctl") {
    app_.footer(kFooter);
    app_.set_version_flag("--version", "distillctl 0.1.0");
    app_.require_subcommand(1);
    AddRun();
    AddOnRunDirectory();
    AddLabel();
    AddConfig();
    AddMetrics();
    AddWatching();
    AddModel();
  }

  Command Parse(std::vector<std::string> arguments) {
    const std::vector<std::string> given = arguments;
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      app_.parse(arguments);
      return Parsed();
    } catch (const CLI::Success&) {
      return PrintAndExit{HelpOrVersion(given), ExitCode::kDone};
    } catch (const CLI::ParseError& error) {
      return PrintAndExit{Usage(error, given), ExitCode::kUsage};
    }
  }

 private:
  void AddRun() {
    run_ = app_.add_subcommand("run", "Run a plan: start its processes here, watch, report");
    run_->add_option("config", run_command_.config, "The plan, YAML or JSON")->required();
    run_->add_option("--run-dir", run_command_.run_dir, "New folder for all results")->required();
    run_->add_option("--set", run_command_.settings, "Override a field: field.path=value")
        ->take_all()
        ->expected(1);
    seed_option_ = run_->add_option("--seed", seed_, "Override the plan's seed");
    run_->add_option("--coordinator", run_command_.coordinator,
                     "Submit to a coordinator that runs at host:port and start nothing here");
    AddColor(run_, run_command_.color);
    AddModelFlags(*run_, run_command_.models);
  }

  void AddOnRunDirectory() {
    resume_ = app_.add_subcommand("resume", "Go on from the last committed checkpoints");
    resume_->add_option("dir", resume_command_.run_dir, "A run directory")->required();
    AddColor(resume_, resume_command_.color);
    AddModelFlags(*resume_, resume_command_.models);
    stop_ = app_.add_subcommand("stop", "Stop a plan and its processes");
    stop_->add_option("dir", stop_command_.run_dir, "A run directory")->required();
    stop_->add_option("--coordinator", stop_command_.coordinator,
                      "host:port, where the processes were started by hand");
    status_ = app_.add_subcommand("status", "What a plan is doing");
    status_->add_option("dir", status_command_.run_dir, "A run directory")->required();
    status_->add_option("--coordinator", status_command_.coordinator,
                        "host:port, where the processes were started by hand");
    status_->add_flag("--json", status_command_.json, "Machine-readable, on stdout");
    digest_ = app_.add_subcommand("digest", "SHA-256 of the latest weights of each run");
    digest_->add_option("dir", digest_command_.path, "DIR or DIR/RUN")->required();
  }

  void AddLabel() {
    label_ = app_.add_subcommand("label", "Record a finished teacher's labels for later runs");
    label_->add_option("config", label_command_.config, "The plan, YAML or JSON")->required();
    label_->add_option("--run", label_command_.run, "The run of the plan that will use them")
        ->required();
    label_
        ->add_option("--run-dir", label_command_.run_dir,
                     "Where the plan's teacher was trained: holds TEACHER/export")
        ->required();
    label_->add_option("--out", label_command_.out, "Folder of the label set; goes on if there")
        ->required();
    label_->add_option("--role", label_command_.role, "Which teacher, where the run has several");
    label_->add_option("--set", label_command_.settings, "Override a field: field.path=value")
        ->take_all()
        ->expected(1);
    label_seed_option_ = label_->add_option("--seed", seed_, "Override the plan's seed");
    label_
        ->add_option("--teachers", label_command_.teachers,
                     "host:port,... of teacher servers that run already")
        ->delimiter(',');
    label_
        ->add_option("--teacher-servers", label_command_.teacher_servers,
                     "How many to start here; without it as many as the plan has")
        ->check(CLI::Range(1, 64));
    label_
        ->add_option("--threads", label_command_.threads,
                     "Of each of these; without it as many as the plan has")
        ->check(CLI::Range(1, 1024));
    label_
        ->add_option("--block-rows", label_command_.block_rows,
                     "Rows of one inference batch: a set of another size has other bytes")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    AddModelFlags(*label_, label_command_.models);
  }

  void AddConfig() {
    config_ = app_.add_subcommand("config", "Look at a plan without running it");
    config_->require_subcommand(1);
    show_ = config_->add_subcommand("show", "Print the plan with every default filled in");
    show_->add_option("config", show_command_.config, "YAML or JSON")->required();
    show_->add_option("--set", show_command_.settings, "Override a field")->take_all()->expected(1);
    show_->add_flag("--origin", show_command_.origin,
                    "Say of each value where it comes from: the file, --set, or default");
    validate_ = config_->add_subcommand("validate", "List everything that is wrong with a plan");
    validate_->add_option("config", validate_command_.config, "YAML or JSON")->required();
    validate_->add_option("--set", validate_command_.settings, "Override a field")
        ->take_all()
        ->expected(1);
    explain_ = config_->add_subcommand("explain", "What a field means, and its default");
    explain_->add_option("field", explain_command_.field,
                         "Its path, or the end of it; without it the top level");
    reference_ = config_->add_subcommand("reference", "All fields, as docs/configuration.md");
  }

  void AddModel() {
    model_ = app_.add_subcommand("model", "Models from files");
    model_->require_subcommand(1);
    manifest_ = model_->add_subcommand(
        "manifest", "Write a model directory's manifest: which files processes may load");
    manifest_->add_option("dir", model_manifest_command_.dir, "A folder of .pt and .pt2 files")
        ->required();
  }

  void AddMetrics() {
    metrics_ = app_.add_subcommand("metrics", "What the processes tell Prometheus");
    metrics_->require_subcommand(1);
    list_ = metrics_->add_subcommand("list", "Every metric: its type, labels, unit and meaning");
    CLI::Option* json = list_->add_flag("--json", metrics_list_command_.json, "Machine-readable");
    list_->add_flag("--markdown", metrics_list_command_.markdown, "The tables of docs/metrics.md")
        ->excludes(json);
  }

  static void AddColor(CLI::App* command, ColorChoice& color) {
    const std::map<std::string, ColorChoice> choices = {{"auto", ColorChoice::kAuto},
                                                        {"always", ColorChoice::kAlways},
                                                        {"never", ColorChoice::kNever}};
    command
        ->add_option("--color", color,
                     "auto, always or never: auto is a terminal without NO_COLOR or TERM=dumb")
        ->transform(CLI::CheckedTransformer(choices));
  }

  // The two that show a plan as it goes on.
  static CLI::App* AddView(CLI::App& app, const std::string& name, const std::string& what,
                           std::string& run_dir, std::string& coordinator, bool& json,
                           ColorChoice& color) {
    CLI::App* view = app.add_subcommand(name, what);
    view->add_option("dir", run_dir, "A run directory");
    view->add_option("--coordinator", coordinator,
                     "host:port, where the processes were started by hand");
    view->add_flag("--json", json, "One object an update, a line each, on stdout");
    AddColor(view, color);
    view->callback([name, &run_dir, &coordinator] {
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
    logs_->add_option("dir", logs_command_.run_dir, "A run directory")->required();
    logs_->add_option("process", logs_command_.process,
                      "One of them, e.g. teacher-0; without it all, each line with its name");
    logs_->add_flag("--follow,-f", logs_command_.follow, "Go on until the plan ends");
    tail_option_ = logs_->add_option("--tail", tail_, "Only the last lines of each")
                       ->check(CLI::NonNegativeNumber);
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
      if (label_seed_option_->count() > 0) label_command_.seed = seed_;
      return label_command_;
    }
    if (digest_->parsed()) return digest_command_;
    if (show_->parsed()) return show_command_;
    if (manifest_->parsed()) return model_manifest_command_;
    if (list_->parsed()) return metrics_list_command_;
    if (explain_->parsed()) return explain_command_;
    if (reference_->parsed()) return ConfigReferenceCommand();
    return validate_command_;
  }

  // The innermost command that was named.
  CLI::App* Innermost(const std::vector<std::string>& given) {
    CLI::App* app = &app_;
    for (const std::string& word : given) {
      for (CLI::App* next : app->get_subcommands({})) {
        if (next->get_name() == word) {
          app = next;
          break;
        }
      }
    }
    return app;
  }

  std::string HelpOrVersion(const std::vector<std::string>& given) {
    if (std::find(given.begin(), given.end(), "--version") != given.end()) {
      return absl::StrCat(app_.version(), "\n");
    }
    return Innermost(given)->help();
  }

  std::string Usage(const CLI::ParseError& error, const std::vector<std::string>& given) {
    CLI::App* app = Innermost(given);
    std::string text = absl::StrCat("distillctl: ", error.what(), "\n");
    const bool bare =
        app == &app_ || app == config_ || app == metrics_ || app == model_;  // a command is due
    for (const std::string& word : given) {
      if (!bare || word == app->get_name() || word.rfind('-', 0) == 0) continue;
      text = absl::StrCat("distillctl: there is no command '", word, "'\n");
      break;
    }
    for (const std::string& word : given) {
      const std::vector<std::string> known = Words(app);
      const std::string name = word.substr(0, word.find('='));
      const std::string nearest = NearestName(name, known);
      if (!nearest.empty() && nearest != name)
        absl::StrAppend(&text, "'", name, "' is not known. Did you mean '", nearest, "'?\n");
    }
    const std::string name = app == &app_ ? "" : absl::StrCat(" ", app->get_name());
    return absl::StrCat(text, "See 'distillctl", name, " --help'.\n");
  }

  // Commands and flags that could stand here.
  static std::vector<std::string> Words(CLI::App* app) {
    std::vector<std::string> words;
    for (CLI::App* command : app->get_subcommands({})) words.push_back(command->get_name());
    for (CLI::Option* option : app->get_options({})) {
      for (const std::string& flag : option->get_lnames()) words.push_back("--" + flag);
    }
    return words;
  }

  CLI::App app_;
  CLI::App *run_, *resume_, *stop_, *status_, *label_, *digest_, *config_, *show_, *validate_;
  CLI::App *explain_, *reference_, *metrics_, *list_, *model_, *manifest_;
  CLI::Option *seed_option_, *label_seed_option_;
  uint64_t seed_ = 0;
  RunCommand run_command_;
  ResumeCommand resume_command_;
  StopCommand stop_command_;
  StatusCommand status_command_;
  LabelCommand label_command_;
  DigestCommand digest_command_;
  ConfigShowCommand show_command_;
  ConfigValidateCommand validate_command_;
  MetricsListCommand metrics_list_command_;
  ModelManifestCommand model_manifest_command_;
  ConfigExplainCommand explain_command_;
  CLI::App *watch_, *top_, *logs_;
  CLI::Option* tail_option_;
  size_t tail_ = 0;
  WatchCommand watch_command_;
  TopCommand top_command_;
  LogsCommand logs_command_;
};

}  // namespace

Command ParseCommandLine(const std::vector<std::string>& arguments) {
  return Grammar().Parse(arguments);
}

}  // namespace distill
