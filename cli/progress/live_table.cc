#include "cli/progress/live_table.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/progress/state_names.h"
#include "cli/progress/text_table.h"
#include "cli/terminal/styled_text.h"

namespace distill {
namespace {

using v1::MemberStatus;
using v1::RunStatus;
using v1::TeacherState;

constexpr int kBarWidth = 20;

// "student", ""; or "run", "not started".
using Kind = std::pair<std::string, std::string>;

// A row, and what it counts as where there is no room for it. Rows of a greater rank go first.
struct Entry {
  TableRow row;
  // What only a wide table has.
  std::vector<TableCell> more;
  int rank = 0;
  Kind kind;
};

struct Section {
  std::vector<TableColumn> columns;
  // Of the entries' `more`.
  std::vector<TableColumn> more;
  std::vector<Entry> entries;
};

// A note takes the place of what else there is to say.
void Narrow(Section& section) {
  for (Entry& entry : section.entries) {
    if (!entry.row.note.text.empty()) entry.row.cells.resize(1);
  }
}

// With a column for everything.
void Widen(Section& section) {
  const size_t told = section.columns.size();
  for (TableColumn& column : section.columns) column.min_width = 0;
  section.columns.insert(section.columns.end(), section.more.begin(), section.more.end());
  section.columns.push_back({"NOTE"});
  for (Entry& entry : section.entries) {
    std::vector<TableCell>& cells = entry.row.cells;
    cells.resize(told);
    cells.insert(cells.end(), entry.more.begin(), entry.more.end());
    cells.push_back(std::exchange(entry.row.note, {}));
  }
}

std::string Percent(double share) {
  return absl::StrFormat("%.0f%%", 100 * std::clamp(share, 0.0, 1.0));
}

// Three digits at least, without a decimal where nobody reads it.
std::string Rate(double rate) {
  return rate < 99.95 ? absl::StrFormat("%.1f", rate) : absl::StrFormat("%.0f", rate);
}

std::string Bar(double share) {
  const int filled = static_cast<int>(kBarWidth * std::clamp(share, 0.0, 1.0));
  return absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                      std::string(static_cast<size_t>(kBarWidth - filled), '-'), "]");
}

std::string Losses(const std::map<std::string, double>& terms) {
  return absl::StrJoin(terms, " ", [](std::string* out, const auto& term) {
    absl::StrAppendFormat(out, "%s %.3f", Printable(term.first), term.second);
  });
}

Style StyleOfWait(double share) { return share >= 0.1 ? Style::kWarning : Style::kPlain; }

TableCell NoteOf(const RunStatus& run) {
  TableCell note = {std::string(RunStateName(run.state()))};
  if (run.state() == RunStatus::HALTED && run.progress().step() > 0) {
    absl::StrAppend(&note.text, " at step ", run.progress().step(), " of ", run.steps());
  }
  if (!run.message().empty()) absl::StrAppend(&note.text, ": ", Printable(run.message()));
  if (run.state() == RunStatus::DONE) note.style = Style::kGood;
  if (run.state() == RunStatus::WAITING) note.style = Style::kWarning;
  if (run.state() == RunStatus::BROKEN) note.style = Style::kBad;
  return note;
}

int RankOf(RunStatus::RunState state) {
  switch (state) {
    case RunStatus::ACTIVE:
    case RunStatus::BROKEN:
      return 0;
    case RunStatus::WAITING:
      return 1;
    default:
      return 4;
  }
}

Entry EntryOf(const RunStatus& run, const RunTrend* trend) {
  Entry entry;
  entry.rank = RankOf(run.state());
  entry.kind = {"run", std::string(RunStateName(run.state()))};
  entry.more = {{run.has_last_checkpoint() ? absl::StrCat(run.last_checkpoint().step()) : ""}};
  std::vector<TableCell>& cells = entry.row.cells;
  cells = {{Printable(run.run_id()), Style::kTitle}};
  const v1::Progress& progress = run.progress();
  const bool active = run.state() == RunStatus::ACTIVE;
  const bool began = progress.step() > 0 && trend != nullptr;
  if (!active) entry.row.note = NoteOf(run);
  if (active && !began) entry.row.note = {"starting"};
  if (progress.step() == 0) return entry;
  const double share =
      static_cast<double>(progress.step()) / static_cast<double>(std::max<int64_t>(1, run.steps()));
  cells.push_back({absl::StrCat(progress.step(), "/", run.steps())});
  cells.push_back({Percent(share)});
  cells.push_back({Bar(share), Style::kGood});
  if (!active || !began) return entry;
  const std::optional<TimeLeft> left = trend->time_left();
  const double wait = progress.teacher_wait_ratio();
  cells.push_back({Rate(trend->steps_per_second())});
  cells.push_back({Percent(wait), StyleOfWait(wait)});
  cells.push_back({left.has_value() ? TimeLeftText(*left) : ""});
  cells.push_back({Losses(trend->loss_terms())});
  return entry;
}

Section RunsOf(const v1::PlanStatus& status, const RunTrends& trends) {
  Section section;
  section.columns = {{"RUN"},          {"STEP", 1, true},     {"DONE", 3, true},
                     {"PROGRESS", 8},  {"STEPS/S", 4, true},  {"WAIT", 5, true},
                     {"ETA", 2, true}, {"LOSS", 6, false, 11}};
  section.more = {{"CHECKPOINT", 0, true}};
  for (const RunStatus& run : status.runs()) {
    section.entries.push_back(EntryOf(run, trends.Find(run.run_id())));
  }
  return section;
}

// Of a member that is silent; nothing for one that is alive.
TableCell SilenceOf(const MemberStatus& member) {
  if (member.state() == MemberStatus::SUSPECT) return {"not heard of", Style::kWarning};
  if (member.state() == MemberStatus::GONE) return {"gone", Style::kFaint};
  return {};
}

// Where a process is.
std::vector<TableColumn> PlaceColumns() { return {{"PID", 0, true}, {"ADDRESS"}, {"METRICS"}}; }
std::vector<TableCell> PlaceOf(const MemberStatus& member) {
  return {{absl::StrCat(member.process_id())},
          {Printable(member.address())},
          {Printable(member.ops_address())}};
}

bool IsShown(const MemberStatus& member, v1::Role role, bool wide) {
  return member.role() == role && (wide || member.state() != MemberStatus::GONE);
}

// Of a student that is silent, or stands still and says why.
TableCell StandstillOf(const MemberStatus& member) {
  const TableCell silence = SilenceOf(member);
  const v1::Progress& progress = member.progress();
  if (!silence.text.empty() || progress.steps_per_second() > 0) return silence;
  return {Printable(progress.note()), Style::kWarning};
}

Section StudentsOf(const v1::PlanStatus& status, bool wide) {
  Section section;
  section.columns = {{"STUDENT"},          {"RUN", 4},        {"STEP", 1, true},
                     {"STEPS/S", 2, true}, {"WAIT", 3, true}, {"LOSS", 5, true}};
  section.more = PlaceColumns();
  for (const MemberStatus& member : status.members()) {
    if (!IsShown(member, v1::STUDENT_WORKER, wide)) continue;
    Entry entry;
    entry.kind = {"student", ""};
    entry.row.cells = {{Printable(member.worker())}};
    entry.more = PlaceOf(member);
    entry.row.note = StandstillOf(member);
    const bool stands = !entry.row.note.text.empty();
    entry.rank = stands ? 1 : member.has_progress() ? 3 : 5;
    if (member.has_progress()) {
      const v1::Progress& progress = member.progress();
      entry.row.cells.insert(entry.row.cells.end(), {{Printable(member.run_id())},
                                                     {absl::StrCat(progress.step())},
                                                     {Rate(progress.steps_per_second())},
                                                     {Percent(progress.teacher_wait_ratio()),
                                                      StyleOfWait(progress.teacher_wait_ratio())},
                                                     {absl::StrFormat("%.3f", progress.loss())}});
    } else if (!stands) {
      entry.row.note = {"idle", Style::kFaint};
    }
    section.entries.push_back(std::move(entry));
  }
  return section;
}

Style StyleOfTeacher(TeacherState::State state) {
  if (state == TeacherState::READY) return Style::kGood;
  return state == TeacherState::FAILED ? Style::kBad : Style::kWarning;
}

Entry EntryOfTeacher(const MemberStatus& member) {
  const TeacherState& state = member.teacher_state();
  Entry entry;
  entry.kind = {"teacher server", ""};
  entry.rank = 2;
  entry.row.cells = {{Printable(member.worker())}};
  entry.more = PlaceOf(member);
  entry.row.note = SilenceOf(member);
  const bool heard = entry.row.note.text.empty();
  const std::string name(TeacherStateName(state.state()));
  if (heard && state.state() == TeacherState::FAILED) {
    entry.rank = 0;
    entry.row.note = {absl::StrCat(name, ": ", Printable(state.message())), Style::kBad};
  }
  std::vector<TableCell>& cells = entry.row.cells;
  cells.push_back({heard ? name : "", StyleOfTeacher(state.state())});
  const v1::TeacherLoad& load = member.teacher_load();
  const bool known = heard && member.has_teacher_load() && state.state() == TeacherState::READY;
  cells.push_back({known ? Rate(load.rows_per_second()) : ""});
  cells.push_back({known ? absl::StrCat(load.queue_rows()) : ""});
  cells.push_back({known ? Percent(load.busy_ratio()) : ""});
  cells.push_back({known && load.has_cache_hit_ratio() ? Percent(load.cache_hit_ratio()) : ""});
  cells.push_back({Printable(state.model())});
  return entry;
}

Section TeachersOf(const v1::PlanStatus& status, bool wide) {
  Section section;
  section.columns = {{"TEACHER"},           {"STATE", 1},      {"ROWS/S", 2, true},
                     {"QUEUE", 3, true},    {"BUSY", 5, true}, {"CACHE", 4, true},
                     {"MODEL", 6, false, 6}};
  section.more = PlaceColumns();
  for (const MemberStatus& member : status.members()) {
    if (!IsShown(member, v1::TEACHER_SERVER, wide)) continue;
    section.entries.push_back(EntryOfTeacher(member));
  }
  return section;
}

std::string Head(const v1::PlanStatus& status, const LiveTableOptions& options) {
  const int64_t done =
      std::count_if(status.runs().begin(), status.runs().end(),
                    [](const RunStatus& run) { return run.state() == RunStatus::DONE; });
  std::string head = absl::StrCat(
      "plan ", Printable(status.plan_id()), "  ", PlanStateName(status.state()), "  ", done, " of ",
      status.runs_size(), status.runs_size() == 1 ? " run" : " runs", " done");
  if (options.elapsed.has_value()) absl::StrAppend(&head, "  ", ElapsedText(*options.elapsed));
  return Paint(Cut(head, options.width), Style::kTitle, options.color);
}

int LinesOf(const std::vector<Section>& sections) {
  int lines = 0;
  for (const Section& section : sections) {
    if (!section.entries.empty()) lines += static_cast<int>(section.entries.size()) + 1;
  }
  return lines;
}

// Leaves out rows until so many lines are left; what went, by kind.
std::map<Kind, int> Shorten(std::vector<Section>& sections, int room) {
  std::map<Kind, int> gone;
  while (LinesOf(sections) > room) {
    Section* from = nullptr;
    std::vector<Entry>::iterator which;
    for (Section& section : sections) {
      for (auto it = section.entries.begin(); it != section.entries.end(); ++it) {
        if (from != nullptr && it->rank < which->rank) continue;
        from = &section;
        which = it;
      }
    }
    if (from == nullptr) break;
    ++gone[which->kind];
    from->entries.erase(which);
  }
  return gone;
}

std::string Summary(const std::map<Kind, int>& gone) {
  int all = 0;
  for (const auto& [kind, count] : gone) all += count;
  return absl::StrCat("and ", all,
                      " more: ", absl::StrJoin(gone, ", ", [](std::string* out, const auto& entry) {
                        const auto& [kind, count] = entry;
                        absl::StrAppend(out, count, " ", kind.first, count == 1 ? "" : "s",
                                        kind.second.empty() ? "" : " ", kind.second);
                      }));
}

// A number and its unit.
std::pair<std::string, std::string> Scaled(double seconds) {
  if (seconds < 90) return {absl::StrFormat("%.0f", std::round(seconds)), "s"};
  if (seconds < 90 * 60) return {absl::StrFormat("%.0f", std::round(seconds / 60)), "min"};
  if (seconds < 48 * 3600) return {absl::StrFormat("%.1f", seconds / 3600), "h"};
  return {absl::StrFormat("%.1f", seconds / (24 * 3600)), "d"};
}

}  // namespace

std::string TimeLeftText(const TimeLeft& left) {
  const auto [low, low_unit] = Scaled(absl::ToDoubleSeconds(left.low));
  const auto [high, high_unit] = Scaled(absl::ToDoubleSeconds(left.high));
  if (low_unit != high_unit) return absl::StrCat(low, " ", low_unit, "-", high, " ", high_unit);
  if (low == high) return absl::StrCat(low, " ", low_unit);
  return absl::StrCat(low, "-", high, " ", high_unit);
}

std::string ElapsedText(absl::Duration elapsed) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(elapsed));
  const int64_t hours = seconds / 3600;
  if (hours > 0) return absl::StrFormat("%d:%02d:%02d", hours, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::vector<std::string> LiveTable(const v1::PlanStatus& status, const RunTrends& trends,
                                   const LiveTableOptions& options) {
  std::vector<Section> sections;
  sections.push_back(RunsOf(status, trends));
  sections.push_back(StudentsOf(status, options.wide));
  sections.push_back(TeachersOf(status, options.wide));
  std::ranges::for_each(sections, options.wide ? Widen : Narrow);
  if (options.fleet_first) std::rotate(sections.begin(), sections.begin() + 1, sections.end());
  std::vector<std::string> lines;
  if (options.headers) lines.push_back(Head(status, options));
  const std::vector<std::string> sentence =
      Wrap(Printable(options.sentence), options.width, std::max(1, options.height / 4));
  const int room = options.height - 1 - static_cast<int>(sentence.size());
  std::map<Kind, int> gone;
  if (LinesOf(sections) > room) gone = Shorten(sections, room - 1);
  for (const Section& section : sections) {
    if (section.entries.empty()) continue;
    std::vector<TableRow> rows;
    for (const Entry& entry : section.entries) rows.push_back(entry.row);
    std::vector<std::string> table = LayOut(section.columns, rows, options.width, options.color);
    if (!options.headers) table.erase(table.begin());
    std::ranges::move(table, std::back_inserter(lines));
  }
  if (!gone.empty()) lines.push_back(Cut(Summary(gone), options.width));
  std::ranges::copy(sentence, std::back_inserter(lines));
  lines.resize(
      static_cast<size_t>(std::clamp<int>(options.height, 0, static_cast<int>(lines.size()))));
  return lines;
}

}  // namespace distill
