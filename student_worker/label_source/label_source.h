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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "student_worker/label_source/breaker.h"
#include "student_worker/label_source/hedging.h"
#include "student_worker/label_source/label_actions.h"
#include "student_worker/label_source/teacher_choice.h"

namespace distill {

struct LabelSourceOptions {
  // Steps [first_step, end_step) are asked for, each once answered.
  int64_t first_step = 0;
  int64_t end_step = 0;
  // Steps asked ahead of the one that is taken next.
  int window_steps = 4;
  int64_t examples_per_step = 1;
  // Where labels come again and teachers cache them: the keys (rendezvous.h) of a step's
  // examples, which then go to the same teachers each time. Empty, or fewer or more of them:
  // that step is divided as others are. An exact step never asks.
  std::function<std::vector<uint64_t>(int64_t step)> keys_of;
  // All teachers of the run must report one numerics class, and a step is asked for as a
  // whole: an answer's last bits depend on the size of its batch.
  bool exact = false;
  // An ask unanswered for so long is asked of another teacher. What fails before is asked
  // again for the rest of that time, and for a quarter of it at least.
  absl::Duration request_timeout = absl::Seconds(30);
  // Without any open stream for so long, the source gives up.
  absl::Duration no_teacher_timeout = absl::Seconds(60);
  // Of one ask, before the source gives up.
  int max_attempts = 10;
  // Asks outstanding at one teacher.
  int max_asks_per_teacher = 64;
  // Of each teacher; its back-off is also that of a failed ask.
  BreakerOptions breaker;
  HedgingOptions hedging;
};

// A pure state machine for one teacher role. Thread-compatible. Points in time are
// readings of one monotonic clock; `now` never falls. After every input call
// TakeActions and do them; call Advance at NextDeadline.
//
// An endpoint:  CLOSED -> OPENING -> OPEN -> CLOSED (lost; opened again after its breaker's
//               rest) and any -> REFUSED (does not fit this run, or lies: until it comes back with
//               another incarnation). Its breaker also rests an open one that keeps failing.
// A step:       one WAITING part -> cut among teachers by predicted time (teacher_choice.h), or
//               by example where they cache (rendezvous.h);
//               each part ASKED -> ANSWERED; all answered -> taken. ASKED -> WAITING when its
//               teacher is lost, fails or is late. A late part is first asked of a second
//               teacher as well (hedging.h). Labels are pure, so asking twice is harmless;
//               the first answer counts and later ones are dropped.
class LabelSource {
 public:
  // `random` gives numbers in [0, 1).
  LabelSource(const LabelSourceOptions& options, std::function<double()> random,
              absl::Duration now);

  // Replaces the list of teachers.
  void SetEndpoints(const std::vector<TeacherEndpoint>& endpoints, absl::Duration now);
  void StreamOpened(const std::string& endpoint, const std::string& numerics_class,
                    absl::Duration now);
  // It takes no more asks and answers what it has.
  void StreamDraining(const std::string& endpoint, absl::Duration now);
  // The stream ended, or could not be opened.
  void StreamLost(const std::string& endpoint, const absl::Status& status, absl::Duration now);
  void Answered(uint64_t request_id, LabelPayload payload, absl::Duration now);
  // This ask failed and its stream goes on. `retry_after` zero: another teacher, now;
  // otherwise its teacher rests so long, which is no failure of it.
  void AskFailed(uint64_t request_id, const absl::Status& status, absl::Duration retry_after,
                 absl::Duration now);
  // It answers what it should not: refused, and what it was asked is asked elsewhere.
  void Distrust(const std::string& endpoint, const absl::Status& why, absl::Duration now);
  void Advance(absl::Duration now);

  std::vector<LabelAction> TakeActions();
  absl::Duration NextDeadline() const;

  // The step that is taken next; end_step when all are.
  int64_t next_step() const { return next_step_; }
  bool Ready() const;
  // The labels of next_step(), once: the window moves on. Every position is in one part.
  // Crashes unless Ready().
  std::vector<LabelPart> Take(absl::Duration now);

  // For people: which teachers were asked for labels of next_step() and how long ago, and where
  // some of them are not asked of anybody, why.
  std::string WaitsFor(absl::Duration now) const;

  struct Counters {
    // Hedges among them.
    int64_t asks = 0;
    int64_t asked_again = 0;
    int64_t hedges = 0;
    int64_t breaker_openings = 0;
    // Answers that were used, by endpoint.
    std::map<std::string, int64_t> served;
    // Why it was refused last, by endpoint.
    std::map<std::string, std::string> refused;
  };
  const Counters& counters() const { return counters_; }

 private:
  enum class EndpointState { kClosed, kOpening, kOpen, kRefused };
  struct Endpoint {
    explicit Endpoint(const BreakerOptions& options) : breaker(options) {}

    TeacherEndpoint endpoint;
    EndpointState state = EndpointState::kClosed;
    bool draining = false;
    TeacherLoad load;
    Breaker breaker;
    absl::Status last_error;
  };
  struct Ask {
    int64_t step = 0;
    size_t part = 0;
    int64_t examples = 0;
    std::string endpoint;
    absl::Duration asked_at;
    absl::Duration deadline;
    // Zero: nobody could say.
    absl::Duration predicted;
  };
  struct Part {
    std::vector<int32_t> positions;
    int attempts = 0;
    absl::Duration not_before = -absl::InfiniteDuration();
    // Of the time that all asks of this attempt share.
    absl::Duration period_end = -absl::InfiniteDuration();
    // Asked here last, in vain.
    std::string avoid;
    // 0: not asked. `hedge` only beside `ask`.
    uint64_t ask = 0;
    uint64_t hedge = 0;
    bool answered = false;
    LabelPayload payload;
  };
  struct Step {
    // Only added to, since asks know them by index.
    std::vector<Part> parts;
    // By position; none where the step is divided by predicted time alone.
    std::vector<uint64_t> keys;
  };

  void Pump(absl::Duration now);
  void ExpireAsks(absl::Duration now);
  void OpenStreams(absl::Duration now);
  void AskForWindow(absl::Duration now);
  // Cuts the part among those that may be asked now.
  void AskForPart(int64_t number, size_t index, absl::Duration now);
  // The positions that each candidate is to be asked for, which are its share, and last those
  // that nobody can be.
  std::vector<std::vector<int32_t>> Divide(const std::vector<int32_t>& positions,
                                           const std::vector<uint64_t>& keys,
                                           const std::vector<Endpoint*>& endpoints,
                                           std::vector<TeacherCandidate>& candidates,
                                           absl::Duration now);
  // The candidate's share is the part's. Gives the request id.
  uint64_t SendAsk(int64_t step, size_t index, const TeacherCandidate& candidate,
                   Endpoint& endpoint, absl::Duration now);
  void HedgeLateAsks(absl::Duration now);
  void Hedge(int64_t step, size_t index, absl::Duration late_after, absl::Duration now);
  void CheckGivingUp(absl::Duration now);
  // The endpoints that may be asked now, but for that one; and them as candidates.
  std::vector<Endpoint*> Available(const std::string& avoid, absl::Duration now);
  static std::vector<TeacherCandidate> CandidatesOf(const std::vector<Endpoint*>& endpoints);
  // The ask is over for its endpoint, and no longer one of its part, which is given back.
  Part& EndAsk(uint64_t request_id, TeacherLoad::End how, absl::Duration now);
  void WithdrawAllOf(const std::string& endpoint, absl::Duration now);
  void GiveUpOn(int64_t step, const Part& part, const absl::Status& why);
  void Drop(Endpoint& endpoint, const std::string& reason, absl::Duration now);
  void Refuse(Endpoint& endpoint, const absl::Status& why);
  void CountFailure(const std::string& endpoint, const absl::Status& why, absl::Duration now);
  bool AnyOpen() const;
  void Stop(absl::Status status);

  const LabelSourceOptions options_;
  const std::function<double()> random_;
  int64_t next_step_;
  uint64_t next_request_ = 1;
  std::map<std::string, Endpoint> endpoints_;
  // The window: next_step_ and later.
  std::map<int64_t, Step> steps_;
  // While they count.
  std::map<uint64_t, Ask> asks_;
  Hedging hedging_;
  // Of the last input.
  absl::Duration now_;
  // When the next ask will be late.
  absl::Duration next_late_ = absl::InfiniteDuration();
  // When the last open stream was lost.
  absl::Duration none_open_since_;
  std::optional<std::string> numerics_class_;
  bool stopped_ = false;
  std::vector<LabelAction> actions_;
  Counters counters_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_H_
