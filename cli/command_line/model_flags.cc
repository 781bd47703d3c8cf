#include "cli/command_line/model_flags.h"

#include <CLI/CLI.hpp>

namespace distill {
namespace {

constexpr char kDir[] = "--model-dir";
constexpr char kAllow[] = "--allow-executable-models";

}  // namespace

void AddModelFlags(CLI::App& app, ModelFlags& flags) {
  app.add_option(kDir, flags.dir,
                 "Folder of models from files, with a manifest (distillctl model manifest)")
      ->type_name("DIR");
  app.add_flag(
      kAllow, flags.allow_executable,
      "Load them: TorchScript and .pt2 files are programs, and may do whatever this process "
      "may");
}

std::vector<std::string> ArgumentsOf(const ModelFlags& flags) {
  std::vector<std::string> arguments;
  if (!flags.dir.empty()) arguments = {kDir, flags.dir};
  if (flags.allow_executable) arguments.emplace_back(kAllow);
  return arguments;
}

}  // namespace distill
