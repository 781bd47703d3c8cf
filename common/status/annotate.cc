#include "common/status/annotate.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace distill {

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(std::string(context), ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    // Such as its id: error_id.h. A Cord made anew, since copying one needs another library.
    const std::string bytes(payload);
    annotated.SetPayload(url, absl::Cord(absl::string_view(bytes)));
  });
  return annotated;
}

}  // namespace distill
