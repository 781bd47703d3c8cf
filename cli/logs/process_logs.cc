#include "cli/logs/process_logs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kSuffix[] = ".log";

std::string Names(const std::vector<std::string>& names) {
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

}  // namespace

ProcessLogs::ProcessLogs(FileSystem* files, ProcessLogsOptions options,
                         std::function<void(const std::string&)> print)
    : files_(files), options_(std::move(options)), print_(std::move(print)) {}

absl::Status ProcessLogs::Look() {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, files_->List(options_.folder));
  std::vector<std::string> names;
  size_t widest = 0;
  for (const std::string& file : files) {
    if (!absl::EndsWith(file, kSuffix)) continue;
    names.push_back(file.substr(0, file.size() - (sizeof(kSuffix) - 1)));
    widest = std::max(widest, names.back().size());
  }
  for (const std::string& name : names) {
    if (!options_.process.empty() && name != options_.process) continue;
    const std::string blanks(widest - name.size(), ' ');
    logs_.try_emplace(name, Log{FileTail(files_, JoinPath(options_.folder, name + kSuffix)),
                                options_.process.empty() ? absl::StrCat(name, blanks, " | ") : ""});
  }
  if (!options_.process.empty() && logs_.empty()) {
    return absl::NotFoundError(absl::StrCat("there is no log of '", options_.process, "' in ",
                                            options_.folder, "; there are: ", Names(names)));
  }
  return absl::OkStatus();
}

absl::Status ProcessLogs::PrintFirst() {
  RETURN_IF_ERROR(Look());
  for (auto& [name, log] : logs_) {
    if (options_.tail.has_value()) RETURN_IF_ERROR(log.tail.SkipToLast(*options_.tail));
    RETURN_IF_ERROR(Print(log));
  }
  return absl::OkStatus();
}

absl::Status ProcessLogs::Print(Log& log) {
  return log.tail
      .Read([this, &log](const std::string& line) { print_(absl::StrCat(log.prefix, line)); })
      .status();
}

absl::Status ProcessLogs::PrintMore(bool last) {
  RETURN_IF_ERROR(Look());
  for (auto& [name, log] : logs_) {
    RETURN_IF_ERROR(Print(log));
    if (!last) continue;
    if (const std::string rest = log.tail.TakeRest(); !rest.empty()) {
      print_(absl::StrCat(log.prefix, rest));
    }
  }
  return absl::OkStatus();
}

absl::Status FollowLogs(ProcessLogs& logs, FolderWatch& watch, absl::Duration interval,
                        const std::function<bool()>& ended) {
  while (!ended()) {
    RETURN_IF_ERROR(logs.PrintMore(/*last=*/false));
    RETURN_IF_ERROR(watch.WaitForChange(interval).status());
  }
  return logs.PrintMore(/*last=*/true);
}

}  // namespace distill
