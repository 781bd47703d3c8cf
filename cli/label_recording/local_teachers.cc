#include "cli/label_recording/local_teachers.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/config/config_writer.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);

}  // namespace

absl::StatusOr<std::vector<std::string>> StartLocalTeachers(FileSystem& files,
                                                            Supervisor& supervisor,
                                                            const LocalTeachersOptions& options) {
  RETURN_IF_ERROR(files.MakeDirectories(options.folder));
  const std::string order = JoinPath(options.folder, "serve.yaml");
  RETURN_IF_ERROR(files.Write(order, RenderYaml(options.order)));
  const std::string any_port = absl::StrCat(options.bind_host, ":0");
  std::vector<std::string> addresses;
  for (int i = 0; i < options.servers; ++i) {
    ProcessSpec spec;
    spec.name = absl::StrCat("teacher-", i);
    // What is recorded is asked for once: nothing to cache.
    spec.argv = {options.program,
                 "--run-dir",
                 options.run_dir,
                 "--name",
                 spec.name,
                 "--serve",
                 order,
                 "--listen",
                 any_port,
                 "--ops-listen",
                 any_port,
                 "--threads",
                 absl::StrCat(options.threads),
                 "--cache-mib",
                 "0"};
    for (const std::string& argument : ArgumentsOf(options.models)) spec.argv.push_back(argument);
    spec.log_path = JoinPath(options.folder, spec.name + ".log");
    spec.reports_ready = true;
    ASSIGN_OR_RETURN(const std::string line, supervisor.Start(spec, kStartTimeout));
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    addresses.push_back(json.is_object() ? json.value("address", "") : "");
  }
  return addresses;
}

}  // namespace distill
