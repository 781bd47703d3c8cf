#include "cli/command_line/command_examples.h"

#include <array>
#include <utility>

namespace distill {
namespace {

constexpr std::pair<const char*, std::array<const char*, 2>> kExamples[] = {
    {"",
     {"distillctl run examples/fashion_mnist.yaml --run-dir runs/first",
      "distillctl status runs/first"}},
    {"run",
     {"distillctl run examples/fashion_mnist.yaml --run-dir runs/first",
      "distillctl run plan.yaml --run-dir runs/2 --set runs.student.training.steps=100"}},
    {"resume",
     {"distillctl resume runs/first", "distillctl resume runs/first --coordinator host:7000"}},
    {"stop", {"distillctl stop runs/first", "distillctl stop runs/first --coordinator host:7000"}},
    {"status", {"distillctl status runs/first", "distillctl status runs/first --json"}},
    {"watch", {"distillctl watch runs/first", "distillctl watch --coordinator host:7000 --json"}},
    {"top", {"distillctl top runs/first", "distillctl top runs/first --color never"}},
    {"logs",
     {"distillctl logs runs/first --follow", "distillctl logs runs/first teacher-0 --tail 20"}},
    {"model", {"distillctl model manifest models", "distillctl model --help"}},
    {"model manifest",
     {"distillctl model manifest models", "distillctl model manifest /srv/models"}},
    {"digest", {"distillctl digest runs/first", "distillctl digest runs/first/distilled"}},
    {"label",
     {"distillctl label plan.yaml --run distilled --run-dir runs/first --out labels/first",
      "distillctl label plan.yaml --run distilled --run-dir runs/first --out labels/first "
      "--dry-run"}},
    {"config", {"distillctl config validate plan.yaml", "distillctl config explain steps"}},
    {"config show",
     {"distillctl config show plan.yaml", "distillctl config show plan.yaml --origin"}},
    {"config validate",
     {"distillctl config validate plan.yaml", "distillctl config validate plan.yaml --set seed=2"}},
    {"config explain", {"distillctl config explain", "distillctl config explain training.steps"}},
    {"config reference",
     {"distillctl config reference", "distillctl config reference > docs/configuration.md"}},
    {"explain", {"distillctl explain DST-2101", "distillctl explain --json"}},
    {"metrics explain",
     {"distillctl metrics explain distill_state", "distillctl metrics explain process_open_fds"}},
    {"metrics", {"distillctl metrics list", "distillctl metrics explain distill_state"}},
    {"metrics list", {"distillctl metrics list", "distillctl metrics list --json"}},
    {"reference", {"distillctl reference", "distillctl reference > docs/commands.md"}},
    {"doctor", {"distillctl doctor", "distillctl doctor --config plan.yaml --run-dir runs/first"}},
    {"completion",
     {"source <(distillctl completion bash)",
      "distillctl completion fish > ~/.config/fish/completions/distillctl.fish"}},
};

}  // namespace

std::span<const char* const> ExamplesOf(std::string_view command) {
  for (const auto& [name, examples] : kExamples) {
    if (command == name) return examples;
  }
  return {};
}

}  // namespace distill
