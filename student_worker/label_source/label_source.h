// Decides which teacher a student asks for which step, and gives the labels back
// in the order of the steps, whatever happens to the teachers.
#ifndef STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_H_
#define STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace distill {

struct LabelSourceOptions {
  // Steps [first_step, end_step) are asked for, each once answered.
  int64_t first_step = 0;
  int64_t end_step = 0;
  // Steps asked ahead of the one that is taken next.
  int window_steps = 4;
  // All teachers of the run must report one numerics class.
  bool exact = false;
  // An ask unanswered for so long is asked of another teacher.
  absl::Duration request_timeout = absl::Seconds(30);
  // Without any open stream for so long, the source gives up.
  absl::Duration no_teacher_timeout = absl::Seconds(60);
  // Of one step, before the source gives up.
  int max_attempts = 10;
  // Wait before asking or connecting again: doubles from the first to the second,
  // jittered over its upper half.
  absl::Duration min_backoff = absl::Milliseconds(20);
  absl::Duration max_backoff = absl::Seconds(5);
};

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

// The labels of one step, as the driver received them.
using LabelPayload = std::shared_ptr<const void>;

// A pure state machine for one teacher role. Thread-compatible. Points in time are
// readings of one monotonic clock; `now` never falls. After every input call
// TakeActions and do them; call Advance at NextDeadline.
//
// An endpoint:  CLOSED -> OPENING -> OPEN -> CLOSED (lost; opened again after a
//               back-off) and any -> REFUSED (does not fit this run: until it comes
//               back with another incarnation).
// A step:       WAITING -> ASKED -> ANSWERED -> taken; ASKED -> WAITING when its
//               teacher is lost, fails or is late. Labels are pure, so asking twice
//               is harmless; the first answer counts and later ones are dropped.
class LabelSource {
 public:
  // `random` gives numbers in [0, 1).
  LabelSource(const LabelSourceOptions& options, std::function<double()> random,
              absl::Duration now);

  // Replaces the list of teachers.
  void SetEndpoints(const std::vector<TeacherEndpoint>& endpoints, absl::Duration now);
  void StreamOpened(const std::string& endpoint, const std::string& numerics_class,
                    absl::Duration now);
  // The stream ended, or could not be opened.
  void StreamLost(const std::string& endpoint, const absl::Status& status, absl::Duration now);
  void Answered(uint64_t request_id, LabelPayload payload, absl::Duration now);
  // This ask failed and its stream goes on. `retry_after` zero: another teacher, now.
  void AskFailed(uint64_t request_id, const absl::Status& status, absl::Duration retry_after,
                 absl::Duration now);
  void Advance(absl::Duration now);

  std::vector<LabelAction> TakeActions();
  absl::Duration NextDeadline() const;

  // The step that is taken next; end_step when all are.
  int64_t next_step() const { return next_step_; }
  bool Ready() const;
  // The labels of next_step(), once: the window moves on. Crashes unless Ready().
  LabelPayload Take(absl::Duration now);

  struct Counters {
    int64_t asks = 0;
    int64_t asked_again = 0;
    // Answers that were used, by endpoint.
    std::map<std::string, int64_t> served;
  };
  const Counters& counters() const { return counters_; }

 private:
  enum class EndpointState { kClosed, kOpening, kOpen, kRefused };
  struct Endpoint {
    TeacherEndpoint endpoint;
    EndpointState state = EndpointState::kClosed;
    absl::Duration open_at;
    int failures = 0;
    int outstanding = 0;
    // Of all times.
    int64_t asked = 0;
    absl::Status last_error;
  };
  struct Step {
    int attempts = 0;
    absl::Duration not_before = -absl::InfiniteDuration();
    // 0: not asked.
    uint64_t request_id = 0;
    std::string endpoint;
    absl::Duration deadline;
    // Asked here last, in vain.
    std::string avoid;
    bool answered = false;
    LabelPayload payload;
  };

  void Pump(absl::Duration now);
  void ExpireAsks(absl::Duration now);
  void OpenStreams(absl::Duration now);
  void AskForWindow(absl::Duration now);
  void CheckGivingUp(absl::Duration now);
  Endpoint* Choose(const std::string& avoid);
  // Puts an asked step back; the ask is over for its endpoint.
  void Withdraw(Step& step);
  void WithdrawAllOf(const std::string& endpoint, absl::Duration now);
  void Drop(Endpoint& endpoint, const std::string& reason, absl::Duration now);
  void Refuse(Endpoint& endpoint, const absl::Status& why);
  bool AnyOpen() const;
  absl::Duration Backoff(int failures);
  void Stop(absl::Status status);

  const LabelSourceOptions options_;
  const std::function<double()> random_;
  int64_t next_step_;
  uint64_t next_request_ = 1;
  std::map<std::string, Endpoint> endpoints_;
  // The window: next_step_ and later.
  std::map<int64_t, Step> steps_;
  // Ask to step, while it counts.
  std::map<uint64_t, int64_t> asks_;
  // When the last open stream was lost.
  absl::Duration none_open_since_;
  std::optional<std::string> numerics_class_;
  bool stopped_ = false;
  std::vector<LabelAction> actions_;
  Counters counters_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_H_
