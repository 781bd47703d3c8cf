#include "cli/completion/completion.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/command_line/command_line.h"
#include "cli/plan_reference/plan_reference.h"
#include "common/config/config_reader.h"
#include "common/config/position_map.h"
#include "common/metrics/catalogue.h"
#include "common/status/error_catalogue.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

constexpr size_t kMaxCompletions = 1000;
constexpr size_t kMaxPlanBytes = size_t{1} << 20;
constexpr char kPlanOfRunDirectory[] = "config.resolved.yaml";

// Bash's own words are as they were typed, quotes and all, and are broken at "=" and ":". The line
// up to the cursor is read anew instead. `replaced`: where in the last word the text begins that
// Bash puts an answer in place of, which is behind an open quote, or else behind "=" and ":".
constexpr char kBash[] = R"SH(# Completion of distillctl for bash:
#   source <(distillctl completion bash)
_distillctl() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word='' begun='' open='' opened=0
  local replaced=0 tilde='' home='' found text c i
  for ((i = 0; i < ${#line}; ++i)); do
    c=${line:i:1}
    case ${open:-.}$c in
      "''" | '""') open='' ;;
      "'"*) word+=$c ;;
      [.\"]\\)
        ((++i))
        c=${line:i:1}
        [[ $open && $c != [\"\\\$\`] ]] && word+=\\
        word+=$c ;;
      \"*) word+=$c ;;
      .[\'\"]) open=$c opened=${#word} ;;
      .[[:space:]])
        [[ $begun ]] && words+=("$word")
        word='' begun='' tilde='' replaced=0
        continue ;;
      .\~)
        # Nothing but a user's name is evaluated.
        if [[ ! $begun && ${line:i} =~ ^(~[[:alnum:]_.-]*)(/|[[:space:]]|$) ]]; then
          tilde=${BASH_REMATCH[1]}
          eval "home=$tilde"
          word+=$home
          ((i += ${#tilde} - 1))
        else
          word+=$c
        fi ;;
      *)
        word+=$c
        [[ $c == [=:] && $COMP_WORDBREAKS == *"$c"* ]] && replaced=${#word} ;;
    esac
    begun=1
  done
  [[ $open ]] && replaced=$opened
  COMPREPLY=()
  while IFS= read -r found; do
    if [[ $open == \" ]]; then
      text=${found:replaced}
      for c in \\ \" \$ \`; do text=${text//"$c"/"\\$c"}; done
    elif [[ $open ]]; then
      text=${found:replaced}
      text=${text//"'"/"'\\''"}
    elif [[ $tilde && $replaced -eq 0 && $found == "$home"* ]]; then
      text=$tilde$(printf '%q' "${found#"$home"}")
    else
      text=$(printf '%q' "${found:replaced}")
    fi
    COMPREPLY+=("$text")
  done < <("${words[0]}" __complete -- "${words[@]:1}" "$word" 2>/dev/null)
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _distillctl distillctl
)SH";

// Here too the words are as they were typed, but in one piece, and zsh quotes the answers.
constexpr char kZsh[] = R"SH(#compdef distillctl
# Completion of distillctl for zsh:
#   source <(distillctl completion zsh)
_distillctl() {
  local -a asked found further
  local word user home=''
  for word in "${(@)words[2,CURRENT-1]}" "$PREFIX"; do
    home=''
    if [[ $word == \~[[:alnum:]_.-]#(/*|) ]]; then
      user=${word%%/*}
      home=${~user}
      word=$home${word#$user}
    fi
    asked+=("${(Q)word}")
  done
  found=("${(@f)$("${words[1]}" __complete -- "${(@)asked}" 2>/dev/null)}")
  if [[ -n $home ]] && compset -P 1 '\~*/'; then
    found=("${(@)found#$home/}")
  fi
  found=("${(@)found:#}")
  further=("${(@M)found:#*/}")
  found=("${(@)found:#*/}")
  local added=1
  (( ${#further} )) && compadd -S '' -- "${further[@]}" && added=0
  (( ${#found} )) && compadd -- "${found[@]}" && added=0
  return added
}
compdef _distillctl distillctl
)SH";

constexpr char kFish[] = R"SH(# Completion of distillctl for fish:
#   distillctl completion fish | source
function __distillctl_complete
    set -l words (commandline -opc)
    $words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c distillctl -f -a '(__distillctl_complete)'
)SH";

// Files and folders that begin so; `plans`: of files those that may be plans, else none.
std::vector<std::string> Paths(FileSystem& files, const std::string& begun, bool plans) {
  const size_t slash = begun.rfind('/');
  const std::string before = slash == std::string::npos ? "" : begun.substr(0, slash + 1);
  const std::string name = begun.substr(before.size());
  const auto names = files.List(before.empty() ? "." : before);
  std::vector<std::string> paths;
  if (!names.ok()) return paths;
  for (const std::string& found : *names) {
    if (paths.size() == kMaxCompletions) break;
    if (!absl::StartsWith(found, name) || (found[0] == '.' && name.empty())) continue;
    const std::string path = absl::StrCat(before, found);
    if (const auto within = files.List(path); within.ok()) {
      const bool run_directory = std::ranges::find(*within, kPlanOfRunDirectory) != within->end();
      paths.push_back(run_directory && !plans ? path : path + "/");
    } else if (plans && (absl::EndsWith(found, ".yaml") || absl::EndsWith(found, ".yml") ||
                         absl::EndsWith(found, ".json"))) {
      paths.push_back(path);
    }
  }
  return paths;
}

// Of the first word that names a plan.
std::vector<std::string> RunNames(FileSystem& files, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const auto text = files.Read(word, kMaxPlanBytes);
    v1::PlanConfig plan;
    PositionMap positions;
    if (!text.ok() || !ParseConfig(*text, word, &plan, &positions).ok()) continue;
    std::vector<std::string> names;
    for (const v1::RunConfig& run : plan.runs()) names.push_back(run.name());
    return names;
  }
  return {};
}

std::vector<std::string> Values(FileSystem& files, const CompletionPoint& point,
                                const std::vector<std::string>& words) {
  std::vector<std::string> values;
  if (point.value == "PLAN") return Paths(files, point.begun, /*plans=*/true);
  if (point.value == "DIR") return Paths(files, point.begun, /*plans=*/false);
  if (point.value == "RUN") return RunNames(files, words);
  if (point.value == "FIELD") {
    for (const FieldReference& field : PlanFields()) values.push_back(field.name);
  }
  if (point.value == "METRIC") {
    for (const MetricRow& row : Catalogue()) values.emplace_back(row.name);
  }
  if (point.value == "ID") {
    for (const ErrorEntry& entry : ErrorCatalogue()) values.push_back(ErrorIdName(entry.id));
  }
  return values;
}

}  // namespace

std::string CompletionScript(const std::string& shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : "";
}

std::vector<std::string> Completions(FileSystem& files, const std::vector<std::string>& words) {
  CompletionPoint point = FindCompletionPoint(words);
  // Ids are typed in small letters too.
  if (point.value == "ID") point.begun = absl::AsciiStrToUpper(point.begun);
  std::set<std::string> chosen;
  const auto choose = [&](const std::string& word) {
    if (chosen.size() < kMaxCompletions && absl::StartsWith(word, point.begun)) {
      chosen.insert(point.before + word);
    }
  };
  for (const std::string& word : point.words) choose(word);
  for (const std::string& value : Values(files, point, words)) choose(value);
  return {chosen.begin(), chosen.end()};
}

}  // namespace distill
