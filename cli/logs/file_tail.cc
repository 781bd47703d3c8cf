#include "cli/logs/file_tail.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

// Of one read; a line may be longer.
constexpr uint64_t kMaxChunk = uint64_t{1} << 20;

}  // namespace

absl::Status FileTail::Read(const std::function<void(const std::string&)>& on_line) {
  const absl::StatusOr<uint64_t> size = files_->Size(path_);
  if (absl::IsNotFound(size.status())) return absl::OkStatus();
  RETURN_IF_ERROR(size.status());
  if (*size < offset_) {
    offset_ = 0;
    rest_.clear();
  }
  while (offset_ < *size) {
    const uint64_t length = std::min(kMaxChunk, *size - offset_);
    ASSIGN_OR_RETURN(const std::string chunk,
                     files_->ReadRange(path_, offset_, static_cast<size_t>(length)));
    offset_ += length;
    rest_ += chunk;
    size_t begin = 0;
    for (size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      on_line(rest_.substr(begin, end - begin));
    }
    rest_.erase(0, begin);
  }
  return absl::OkStatus();
}

std::string FileTail::TakeRest() { return std::exchange(rest_, ""); }

}  // namespace distill
