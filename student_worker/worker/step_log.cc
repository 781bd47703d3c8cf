#include "student_worker/worker/step_log.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr size_t kMaxLogBytes = size_t{4} << 30;

// The step of a whole line; -1 for what is none, as a torn last one.
int64_t StepOf(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return -1;
  return json["step"].get<int64_t>();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StepLog>> StepLog::Open(FileSystem& files, const std::string& path,
                                                       int64_t first_step) {
  RETURN_IF_ERROR(files.MakeDirectories(ParentDirectory(path)));
  ASSIGN_OR_RETURN(const bool exists, files.Exists(path));
  if (exists) {
    ASSIGN_OR_RETURN(const std::string text, files.Read(path, kMaxLogBytes));
    size_t keep = 0;
    while (keep < text.size()) {
      const size_t end = text.find('\n', keep);
      if (end == std::string::npos) break;
      const int64_t step = StepOf(text.substr(keep, end - keep));
      if (step < 0 || step >= first_step) break;
      keep = end + 1;
    }
    RETURN_IF_ERROR(files.Truncate(path, keep));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files.OpenForAppend(path));
  return std::unique_ptr<StepLog>(new StepLog(std::move(file)));
}

absl::Status StepLog::Append(const StepRecord& record) {
  return file_->Append(absl::StrCat(ToJsonLine(record), "\n"));
}

}  // namespace distill
