// What `--version` prints, of distillctl and of every process.
#ifndef CLI_VERSION_VERSION_H_
#define CLI_VERSION_VERSION_H_

#include <string>
#include <vector>

namespace distill {

struct ProgramVersion {
  std::string program;
  std::string version;
  // "unknown" of a build that was not stamped.
  std::string commit;
  std::string compiler;
  // Empty of a program that does not link it.
  std::string libtorch;
  std::string grpc;
  std::vector<std::string> cpu_features;
};

// Of the running program. `libtorch` as above.
ProgramVersion ThisVersion(const std::string& program, const std::string& libtorch);

// One thing a line; the first line is "<program> <version>".
std::string VersionText(const ProgramVersion& version);
// {"version": 1, "program", "program_version", "commit", ...}; "libtorch" is null where it is
// not linked.
std::string VersionJson(const ProgramVersion& version);

// Of what a program printed as VersionJson; false: it is not that.
bool ParseVersionJson(const std::string& text, ProgramVersion* version);

// Whether the arguments ask for it, by --version, and with --json for scripts; if so, prints it.
bool AnswerVersion(const std::string& program, const std::string& libtorch,
                   const std::vector<std::string>& arguments);

}  // namespace distill

#endif  // CLI_VERSION_VERSION_H_
