#include "cli/process/process_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/command_line/usage_error.h"
#include "cli/command_line/value_checks.h"
#include "common/config/nearest_name.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

const char* DescriptionOf(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::kCoordinator:
      return "Decides who trains what, keeps schedules and checkpoints.\n\nExample:\n"
             "  coordinator --run-dir /var/lib/distill --listen 127.0.0.1:7000\n";
    case ProcessKind::kTeacherServer:
      return "Runs a trained model and streams its outputs to students.\n\nExample:\n"
             "  teacher_server --run-dir /shared/runs/first --coordinator 127.0.0.1:7000\n";
    case ProcessKind::kStudentWorker:
      return "Trains: one rank of one run after the other.\n\nExample:\n"
             "  student_worker --run-dir /shared/runs/first --coordinator 127.0.0.1:7000\n";
  }
  return "";
}

// What is wrong with an address that others are to connect to; empty: nothing.
std::string WhyNotReachable(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
  // What one listens on to be reached by all, and what is a URL.
  const bool none =
      host.empty() || host == "0.0.0.0" || host == "[::]" || host.find('/') != std::string::npos;
  int port = 0;
  if (!none && absl::SimpleAtoi(address.substr(colon + 1), &port) && port > 0 && port <= 65535) {
    return "";
  }
  return "'" + address +
         "' is not where others connect to; write host:port with a port from 1 to 65535";
}

void AddFlags(ProcessKind kind, ProcessFlags& flags, CLI::App& app) {
  app.add_option("--run-dir", flags.run_dir,
                 kind == ProcessKind::kCoordinator
                     ? "Folder of its journal: a local disk, not a network file system"
                     : "Folder of the plan; storage that all hosts share")
      ->check(NotEmpty())
      ->required();
  app.add_option("--name", flags.name, "Unique among the processes of the plan")
      ->check(NotEmpty())
      ->capture_default_str();
  if (kind != ProcessKind::kCoordinator) {
    CLI::Option* coordinator =
        app.add_option("--coordinator", flags.coordinator, "host:port of the coordinator")
            ->check(NotEmpty());
    if (kind == ProcessKind::kTeacherServer) {
      CLI::Option* serve = app.add_option(
          "--serve", flags.serve,
          "Without a coordinator: a YAML file that says what to serve, as `distillctl label` "
          "writes it");
      coordinator->excludes(serve);
    } else {
      coordinator->required();
    }
    app.add_option("--threads", flags.threads, "Compute threads")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    AddModelFlags(app, flags.models);
  }
  if (kind != ProcessKind::kStudentWorker) {
    app.add_option("--listen", flags.listen, "host:port to serve on; port 0 takes a free one")
        ->capture_default_str();
  } else {
    app.add_option("--bind-host", flags.bind_host, "Address that the other ranks reach")
        ->capture_default_str();
  }
  if (kind == ProcessKind::kTeacherServer) {
    app.add_option("--advertise", flags.advertise,
                   "host:port that students are told to connect to, where it is not that of "
                   "--listen: behind a forwarded port, a proxy or a service")
        ->check(WhyNotReachable)
        ->excludes("--serve");
    app.add_option("--cache-mib", flags.cache_mib, "MiB of labels to keep in memory; 0: none")
        ->capture_default_str();
    app.add_option("--cache-dir", flags.cache_dir,
                   "Keep labels on disk too, in a folder of this server's name below this one");
    app.add_option("--cache-disk-mib", flags.cache_disk_mib, "MiB of labels to keep there")
        ->check(CLI::Range(1u, 1u << 30))
        ->capture_default_str();
  }
  app.add_option("--ops-listen", flags.ops_listen, "host:port of /metrics, /healthz and /readyz")
      ->capture_default_str();
  app.add_flag("--allow-plaintext", flags.allow_plaintext,
               "Talk unencrypted beyond this machine: only on a network you trust");
  // Answered before the flags are read.
  app.add_flag("--version")
      ->description("What this program is and was built with; --json for scripts");
  app.add_option("--ready-fd", flags.ready_fd,
                 "Write one line of JSON with the addresses to this descriptor once serving");
}

std::string Usage(const char* name, const CLI::ParseError& error, const CLI::App& app,
                  const std::vector<std::string>& given) {
  std::string text =
      absl::StrCat(name, ": ", TextWithId(error.what(), UsageErrorId(error.get_name())), "\n");
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& flag : option->get_lnames()) known.push_back("--" + flag);
  }
  for (const std::string& word : given) {
    if (word.rfind("--", 0) != 0) continue;
    const std::string flag = word.substr(0, word.find('='));
    const std::string nearest = NearestName(flag, known);
    if (!nearest.empty() && nearest != flag) {
      absl::StrAppend(&text, "Did you mean '", nearest, "'?\n");
    }
  }
  return absl::StrCat(text, "See '", name, " --help'.\n");
}

}  // namespace

const char* ProcessName(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::kCoordinator:
      return "coordinator";
    case ProcessKind::kTeacherServer:
      return "teacher_server";
    case ProcessKind::kStudentWorker:
      return "student_worker";
  }
  return "";
}

std::variant<ProcessFlags, PrintAndExit> ParseProcessFlags(ProcessKind kind,
                                                           std::vector<std::string> arguments) {
  ProcessFlags flags;
  flags.name = ProcessName(kind);
  CLI::App app(DescriptionOf(kind), ProcessName(kind));
  AddFlags(kind, flags, app);
  const std::vector<std::string> given = arguments;
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    RefuseFlagsWithoutValue(given);
    app.parse(arguments);
    if (kind == ProcessKind::kTeacherServer && flags.coordinator.empty() && flags.serve.empty()) {
      throw CLI::RequiredError("--coordinator (or --serve)");
    }
    return flags;
  } catch (const CLI::Success&) {
    return PrintAndExit{app.help(), ExitCode::kDone};
  } catch (const CLI::ParseError& error) {
    return PrintAndExit{Usage(ProcessName(kind), error, app, given), ExitCode::kUsage};
  }
}

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return ExitCode::kConfiguration;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kRefused;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kNotFound:
      return ExitCode::kData;
    case absl::StatusCode::kCancelled:
      return ExitCode::kPreempted;
    default:
      return ExitCode::kRunFailed;
  }
}

}  // namespace distill
