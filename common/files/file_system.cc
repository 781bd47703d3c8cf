#include "common/files/file_system.h"

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

absl::Status WriteAndRename(FileSystem& files, const std::string& temporary,
                            const std::string& path, std::string_view bytes) {
  RETURN_IF_ERROR(files.Write(temporary, bytes));
  RETURN_IF_ERROR(files.Sync(temporary));
  return files.Rename(temporary, path);
}

}  // namespace

std::string JoinPath(std::string_view directory, std::string_view name) {
  while (directory.size() > 1 && directory.back() == '/') directory.remove_suffix(1);
  if (directory.empty()) return std::string(name);
  if (directory == "/") return absl::StrCat("/", std::string(name));
  return absl::StrCat(std::string(directory), "/", std::string(name));
}

std::string ParentDirectory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  if (absl::Status status = WriteAndRename(files, temporary, path, bytes); !status.ok()) {
    // Best effort: the next write of this path replaces what is left.
    files.RemoveTree(temporary).IgnoreError();
    return Annotate(status, absl::StrCat("replacing ", path));
  }
  return files.Sync(ParentDirectory(path));
}

}  // namespace distill
