// A text file that grows, line by line.
#ifndef CLI_LOGS_FILE_TAIL_H_
#define CLI_LOGS_FILE_TAIL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"

namespace distill {

// Thread-compatible. The file system outlives it. Holds a line at most.
class FileTail {
 public:
  // A longer line comes as several.
  static constexpr size_t kMaxLineBytes = size_t{1} << 20;

  using OnLine = std::function<void(const std::string&)>;

  FileTail(FileSystem* files, std::string path) : files_(files), path_(std::move(path)) {}

  // Leaves out all but the last `lines` whole lines of what is there, and what stands behind
  // them. Reads the file from its end, no further than so many of the longest lines. Only before
  // the first look. Errors of FileSystem but NOT_FOUND.
  absl::Status SkipToLast(size_t lines);

  // Calls `on_line` with each whole line, without its end, that was added since the last call. A
  // file that is not there has none. One that is shorter than it was, or in which what was read
  // last has changed, was cut or written anew: `on_restart` is called, if there is one, since
  // the lines before are void, and it is read from its start.
  // Reads `max_bytes` at most; how many it left for the next call.
  // Errors of FileSystem but NOT_FOUND: call again, no line is lost or told twice.
  absl::StatusOr<uint64_t> Read(const OnLine& on_line,
                                uint64_t max_bytes = std::numeric_limits<uint64_t>::max(),
                                const std::function<void()>& on_restart = nullptr);

  // What stands behind the last line end, and is then forgotten.
  std::string TakeRest();

 private:
  // Whether the file, of `size` bytes, no longer begins with what was read of it.
  absl::StatusOr<bool> HasRestarted(uint64_t size) const;
  void Take(std::string_view chunk, const OnLine& on_line);

  FileSystem* const files_;
  const std::string path_;
  uint64_t offset_ = 0;
  // The last bytes before offset_, by which a file that grew anew beyond it is known.
  std::string read_last_;
  // Behind the last line end, without one itself.
  std::string rest_;
};

}  // namespace distill

#endif  // CLI_LOGS_FILE_TAIL_H_
