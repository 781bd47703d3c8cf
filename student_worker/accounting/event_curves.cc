#include "student_worker/accounting/event_curves.h"

#include <algorithm>
#include <string_view>

#include "common/status/status_macros.h"
#include "student_worker/accounting/event_record.h"
#include "student_worker/accounting/tensorboard_event.pb.h"

namespace distill {
namespace {

// Ten million steps make half of it.
constexpr size_t kMaxFileBytes = size_t{1} << 30;
constexpr std::string_view kPrefix = "events.out.tfevents.";

void Add(const tensorboard::Event& event, Curves& curves) {
  if (event.session_log().status() == tensorboard::SessionLog::START) {
    for (auto& [tag, points] : curves) {
      std::erase_if(points, [&](const CurvePoint& point) { return point.step >= event.step(); });
    }
  }
  for (const auto& value : event.summary().value()) {
    curves[value.tag()].push_back({event.step(), value.simple_value()});
  }
}

}  // namespace

absl::StatusOr<Curves> ReadCurves(FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  Curves curves;
  for (const std::string& name : names) {
    if (!std::string_view(name).starts_with(kPrefix)) continue;
    ASSIGN_OR_RETURN(const std::string bytes, files.Read(JoinPath(folder, name), kMaxFileBytes));
    std::string_view left = bytes;
    tensorboard::Event event;
    while (TakeEventRecord(left, event)) Add(event, curves);
  }
  return curves;
}

}  // namespace distill
