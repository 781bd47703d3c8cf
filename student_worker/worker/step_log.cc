#include "student_worker/worker/step_log.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "student_worker/accounting/phase_clock.h"

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

StepLog::~StepLog() {
  // Where this fails, the session has failed before or is over.
  Flush().IgnoreError();
}

absl::Status StepLog::Append(StepRecord record) {
  unwritten_time_ += Total(record.phases);
  unwritten_.push_back(std::move(record));
  if (unwritten_.size() < kMostUnwritten && unwritten_time_ < kWriteEvery) return absl::OkStatus();
  return Flush();
}

absl::Status StepLog::Flush() {
  if (unwritten_.empty()) return absl::OkStatus();
  std::string lines;
  for (const StepRecord& record : unwritten_) absl::StrAppend(&lines, ToJsonLine(record), "\n");
  // Once: after an error the file may end in a part of them.
  unwritten_.clear();
  unwritten_time_ = absl::ZeroDuration();
  return file_->Append(lines);
}

}  // namespace distill
