// Where each field of a configuration was written, and problems named by field.
// Pure; objects are plain values, safe to read from several threads.
#ifndef COMMON_CONFIG_POSITION_MAP_H_
#define COMMON_CONFIG_POSITION_MAP_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/status/error_catalogue.h"

namespace distill {

// Lines and columns count from 1. Line 0: not a file (a --set on the command
// line); `file` then says what it was.
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;

  // "file:line:column", or "file" without a line.
  std::string ToString() const;
};

// One problem of one field. The path is written "runs[1].training.steps"; the
// entry of a map field is written like a field: "term_weights.hint".
struct FieldProblem {
  std::string path;
  std::string message;
  ErrorId id = ErrorId::kPlanDoesNotHold;
};

// "parent.field" and "repeated[2]", one way everywhere.
std::string ChildPath(std::string_view parent, std::string_view field);
std::string ElementPath(std::string_view repeated, int index);

class PositionMap {
 public:
  void Set(std::string_view path, SourcePosition position);
  // Forgets `path` and everything below it.
  void Erase(std::string_view path);
  // The position of `path`, or of the nearest enclosing field that was written,
  // so that a field left out is reported where it belongs. Null: none is known.
  const SourcePosition* PositionOf(std::string_view path) const;
  // The position of `path` itself; null: it was not written.
  const SourcePosition* Written(std::string_view path) const;

 private:
  std::map<std::string, SourcePosition, std::less<>> positions_;
};

// OK if there are no problems; otherwise INVALID_ARGUMENT with one line each, in
// the given order: "file:line:column: path: message", or "path: message" where no
// position is known. Its id is that of the first.
absl::Status ProblemsToStatus(const std::vector<FieldProblem>& problems,
                              const PositionMap& positions);

}  // namespace distill

#endif  // COMMON_CONFIG_POSITION_MAP_H_
