// What a label source and its driver say to one another.
#ifndef STUDENT_WORKER_LABEL_SOURCE_LABEL_ACTIONS_H_
#define STUDENT_WORKER_LABEL_SOURCE_LABEL_ACTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace distill {

struct TeacherEndpoint {
  std::string name;
  uint64_t incarnation = 0;
  std::string address;
};

// What the driver is to do.
struct OpenStream {
  TeacherEndpoint endpoint;
};
struct CloseStream {
  std::string endpoint;
  std::string reason;
};
struct AskLabels {
  uint64_t request_id = 0;
  std::string endpoint;
  int64_t step = 0;
  // Of the step's examples, ascending.
  std::vector<int32_t> positions;
  // The answer is worth nothing after so long.
  absl::Duration remaining;
};
struct CancelAsk {
  uint64_t request_id = 0;
  std::string endpoint;
};
// The run cannot have its labels. The last action.
struct GiveUp {
  absl::Status status;
};
using LabelAction = std::variant<OpenStream, CloseStream, AskLabels, CancelAsk, GiveUp>;

// The labels of one answer, as the driver received them.
using LabelPayload = std::shared_ptr<const void>;

struct LabelPart {
  // As asked: the payload has a row for each.
  std::vector<int32_t> positions;
  LabelPayload payload;
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_LABEL_ACTIONS_H_
