// A text file that grows, line by line.
#ifndef CLI_LOGS_FILE_TAIL_H_
#define CLI_LOGS_FILE_TAIL_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/files/file_system.h"

namespace distill {

// Thread-compatible. The file system outlives it.
class FileTail {
 public:
  FileTail(FileSystem* files, std::string path) : files_(files), path_(std::move(path)) {}

  // Calls `on_line` with each whole line, without its end, that was added since the last call. A
  // file that is not there has none; one that is shorter than it was is read from its start.
  // Errors of FileSystem but NOT_FOUND: call again, no line is lost or told twice.
  absl::Status Read(const std::function<void(const std::string&)>& on_line);

  // What stands behind the last line end, and is then forgotten.
  std::string TakeRest();

 private:
  FileSystem* const files_;
  const std::string path_;
  uint64_t offset_ = 0;
  std::string rest_;
};

}  // namespace distill

#endif  // CLI_LOGS_FILE_TAIL_H_
