#include "common/metrics/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.empty()) {
    return absl::UnavailableError(absl::StrCat(path, " cannot be read; is /proc mounted?"));
  }
  return text;
}

// The line "btime SECONDS".
absl::StatusOr<double> BootTime(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadAll(path));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string key;
    double seconds = 0;
    if (fields >> key >> seconds && key == "btime") return seconds;
  }
  return absl::DataLossError(absl::StrCat(path, " has no line \"btime SECONDS\""));
}

absl::StatusOr<double> CountEntries(const std::string& directory) {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat(directory, " cannot be read: ", error.message()));
  }
  return count;
}

}  // namespace

absl::StatusOr<ProcessUsage> ReadProcessUsage(const std::string& proc) {
  const std::string path = absl::StrCat(proc, "/self/stat");
  ASSIGN_OR_RETURN(const std::string text, ReadAll(path));
  // The second field is the program's name in brackets; it may hold anything.
  const size_t name_end = text.rfind(')');
  std::istringstream fields(name_end == std::string::npos ? "" : text.substr(name_end + 1));
  double user = 0, system = 0, start = 0, pages = 0;
  std::string skipped;
  for (int field = 3; field <= 24; ++field) {
    switch (field) {
      case 14:
        fields >> user;
        break;
      case 15:
        fields >> system;
        break;
      case 22:
        fields >> start;
        break;
      case 24:
        fields >> pages;
        break;
      default:
        fields >> skipped;
    }
  }
  if (!fields) return absl::DataLossError(absl::StrCat(path, " is not as proc(5) describes it"));
  ASSIGN_OR_RETURN(const double boot, BootTime(absl::StrCat(proc, "/stat")));
  ASSIGN_OR_RETURN(const double fds, CountEntries(absl::StrCat(proc, "/self/fd")));
  const double ticks = sysconf(_SC_CLK_TCK);
  return ProcessUsage{.cpu_seconds = (user + system) / ticks,
                      .resident_bytes = pages * sysconf(_SC_PAGESIZE),
                      .open_fds = fds,
                      .start_time_seconds = boot + start / ticks};
}

}  // namespace distill
