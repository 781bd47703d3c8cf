#include "cli/logs/file_tail.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"

namespace distill {
namespace {

// Of one read; a line may be longer.
constexpr uint64_t kMaxChunk = uint64_t{1} << 20;
// Of one read from the end; most logs are looked at for a few lines.
constexpr uint64_t kBlockFromEnd = uint64_t{64} << 10;
// Enough to tell one line of a log or of figures from another.
constexpr size_t kKnownBytes = 256;

}  // namespace

absl::Status FileTail::SkipToLast(size_t lines) {
  const absl::StatusOr<uint64_t> size = files_->Size(path_);
  if (absl::IsNotFound(size.status())) return absl::OkStatus();
  RETURN_IF_ERROR(size.status());
  const uint64_t longest = *size / kMaxLineBytes > lines ? (lines + 1) * kMaxLineBytes : *size;
  size_t ends = 0;
  uint64_t at = *size;
  while (at > *size - longest) {
    const uint64_t length = std::min(kBlockFromEnd, at - (*size - longest));
    ASSIGN_OR_RETURN(const std::string block,
                     files_->ReadRange(path_, at - length, static_cast<size_t>(length)));
    at -= length;
    for (size_t end = block.rfind('\n'); end != std::string::npos;
         end = end == 0 ? std::string::npos : block.rfind('\n', end - 1)) {
      // The end of the line before them.
      if (ends++ == lines) {
        offset_ = at + end + 1;
        return absl::OkStatus();
      }
    }
  }
  offset_ = at;
  return absl::OkStatus();
}

absl::StatusOr<bool> FileTail::HasRestarted(uint64_t size) const {
  if (size < offset_) return true;
  // Without more there is nothing that could be read wrongly.
  if (size == offset_ || read_last_.empty()) return false;
  ASSIGN_OR_RETURN(const std::string there,
                   files_->ReadRange(path_, offset_ - read_last_.size(), read_last_.size()));
  return there != read_last_;
}

void FileTail::Take(std::string_view chunk, const OnLine& on_line) {
  while (!chunk.empty()) {
    const size_t line = std::min(chunk.find('\n'), chunk.size());
    const size_t taken = std::min(line, kMaxLineBytes - rest_.size());
    rest_ += chunk.substr(0, taken);
    const bool ended = taken == line && line < chunk.size();
    chunk.remove_prefix(ended ? taken + 1 : taken);
    if (ended || taken < line) on_line(std::exchange(rest_, ""));
  }
}

absl::StatusOr<uint64_t> FileTail::Read(const OnLine& on_line, uint64_t max_bytes,
                                        const std::function<void()>& on_restart) {
  const absl::StatusOr<uint64_t> size = files_->Size(path_);
  if (absl::IsNotFound(size.status())) return 0;
  RETURN_IF_ERROR(size.status());
  ASSIGN_OR_RETURN(const bool restarted, HasRestarted(*size));
  if (restarted) {
    offset_ = 0;
    read_last_.clear();
    rest_.clear();
    if (on_restart) on_restart();
  }
  const uint64_t end = offset_ + std::min(max_bytes, *size - offset_);
  while (offset_ < end) {
    const uint64_t length = std::min(kMaxChunk, end - offset_);
    ASSIGN_OR_RETURN(const std::string chunk,
                     files_->ReadRange(path_, offset_, static_cast<size_t>(length)));
    offset_ += length;
    read_last_ += chunk.substr(chunk.size() - std::min(chunk.size(), kKnownBytes));
    read_last_.erase(0, read_last_.size() - std::min(read_last_.size(), kKnownBytes));
    Take(chunk, on_line);
  }
  return *size - end;
}

std::string FileTail::TakeRest() { return std::exchange(rest_, ""); }

}  // namespace distill
