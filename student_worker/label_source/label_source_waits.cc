// What a step waits for, in words.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

// "12s": whoever waits does not ask for less.
std::string Seconds(absl::Duration time) {
  return absl::FormatDuration(absl::Trunc(time, absl::Seconds(1)));
}

}  // namespace

std::string LabelSource::WaitsFor(absl::Duration now) const {
  // By teacher, that of the oldest ask.
  std::map<std::string, absl::Duration> asked;
  bool to_be_asked = false;
  if (const auto step = steps_.find(next_step_); step != steps_.end()) {
    for (const Part& part : step->second.parts) {
      if (part.answered) continue;
      if (part.ask == 0) to_be_asked = true;
      for (const uint64_t id : {part.ask, part.hedge}) {
        if (id == 0) continue;
        const Ask& ask = asks_.at(id);
        const auto [it, is_new] = asked.try_emplace(ask.endpoint, ask.asked_at);
        if (!is_new) it->second = std::min(it->second, ask.asked_at);
      }
    }
  }
  std::string text;
  const auto add = [&](const auto&... words) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", words...);
  };
  for (const auto& [name, asked_at] : asked) {
    add(name, " at ", endpoints_.at(name).endpoint.address, " was asked ", Seconds(now - asked_at),
        " ago");
  }
  if (!asked.empty() && !to_be_asked) return text;
  if (endpoints_.empty()) add("the coordinator knows of no teacher server");
  for (const auto& [name, endpoint] : endpoints_) {
    if (asked.contains(name)) continue;
    const bool open = endpoint.state == EndpointState::kOpen;
    add(name, " at ", endpoint.endpoint.address,
        endpoint.state == EndpointState::kRefused ? " is refused"
        : endpoint.draining                       ? " drains"
        : open                                    ? " takes no more for now"
                                                  : " cannot be reached");
    if (!open && !endpoint.last_error.ok()) {
      absl::StrAppend(&text, ": ", std::string(endpoint.last_error.message()));
    }
  }
  return text;
}

}  // namespace distill
