#include "student_worker/label_source/label_source.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "student_worker/label_source/refusal.h"
#include "student_worker/label_source/rendezvous.h"

namespace distill {
namespace {

// One that computes what the others found in their caches is late against its prediction, and
// another would have to compute it as well.
constexpr double kCachedMargin = 8;

HedgingOptions HedgingOf(const LabelSourceOptions& options) {
  HedgingOptions hedging = options.hedging;
  if (!options.keys_of) return hedging;
  hedging.margin = std::max(hedging.margin, kCachedMargin);
  hedging.quantile = 1;
  return hedging;
}

}  // namespace

LabelSource::LabelSource(const LabelSourceOptions& options, std::function<double()> random,
                         absl::Duration now)
    : options_(options),
      random_(std::move(random)),
      next_step_(options.first_step),
      hedging_(HedgingOf(options)),
      now_(now),
      none_open_since_(now) {
  ABSL_RAW_CHECK(options.window_steps >= 1 && options.max_attempts >= 1 &&
                     options.examples_per_step >= 1 && options.max_asks_per_teacher >= 1,
                 "a label source needs a window, an attempt, an example and an ask");
}

void LabelSource::SetEndpoints(const std::vector<TeacherEndpoint>& endpoints, absl::Duration now) {
  std::set<std::string> listed;
  for (const TeacherEndpoint& endpoint : endpoints) {
    listed.insert(endpoint.name);
    auto [it, added] = endpoints_.try_emplace(endpoint.name, options_.breaker);
    if (!added && it->second.endpoint.incarnation == endpoint.incarnation) continue;
    if (!added) Drop(it->second, "it has started anew", now);
    it->second = Endpoint(options_.breaker);
    it->second.endpoint = endpoint;
  }
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    if (listed.contains(it->first)) {
      ++it;
      continue;
    }
    Drop(it->second, "it is no longer a teacher of this run", now);
    it = endpoints_.erase(it);
  }
  Pump(now);
}

void LabelSource::StreamOpened(const std::string& name, const std::string& numerics_class,
                               absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it == endpoints_.end() || it->second.state != EndpointState::kOpening) return;
  Endpoint& endpoint = it->second;
  // Pinned for the whole run: labels of two classes differ in their last bits.
  if (options_.exact && numerics_class_.value_or(numerics_class) != numerics_class) {
    const auto why = absl::StrCat("its numerics class is '", numerics_class, "' and the run's is '",
                                  *numerics_class_, "'; an exact run needs teachers of one class");
    Refuse(endpoint, WithErrorId(absl::FailedPreconditionError(why), ErrorId::kTeacherFingerprint));
    actions_.push_back(CloseStream{name, std::string(endpoint.last_error.message())});
    Pump(now);
    return;
  }
  numerics_class_ = numerics_class;
  endpoint.state = EndpointState::kOpen;
  endpoint.load = TeacherLoad();
  int64_t most_asked = 0;
  for (const auto& [other, its] : endpoints_) most_asked = std::max(most_asked, its.load.asked());
  endpoint.load.CatchUp(most_asked, options_.window_steps * options_.examples_per_step);
  Pump(now);
}

void LabelSource::StreamDraining(const std::string& name, absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it != endpoints_.end()) it->second.draining = true;
  Pump(now);
}

void LabelSource::StreamLost(const std::string& name, const absl::Status& status,
                             absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it == endpoints_.end()) return;
  Endpoint& endpoint = it->second;
  if (endpoint.state != EndpointState::kOpen && endpoint.state != EndpointState::kOpening) return;
  WithdrawAllOf(name, now);
  if (IsRefusal(status)) {
    Refuse(endpoint, status);
  } else {
    endpoint.last_error = status;
    endpoint.breaker.Trip(now, random_());
    ++counters_.breaker_openings;
  }
  Pump(now);
}

void LabelSource::Answered(uint64_t request_id, LabelPayload payload, absl::Duration now) {
  const auto it = asks_.find(request_id);
  if (it == asks_.end()) return;  // late: another answer was used
  const Ask ask = it->second;
  hedging_.Answered(ask.predicted, now - ask.asked_at);
  ++counters_.served[ask.endpoint];
  endpoints_.at(ask.endpoint).breaker.Succeeded(now);
  Part& part = EndAsk(request_id, TeacherLoad::End::kAnswered, now);
  if (part.ask != 0) {
    const uint64_t loser = part.ask;
    const Ask& lost = asks_.at(loser);
    hedging_.Answered(lost.predicted, now - lost.asked_at);
    const std::string slow = lost.endpoint;
    actions_.push_back(CancelAsk{loser, slow});
    EndAsk(loser, TeacherLoad::End::kOvertaken, now);
    // A teacher that hangs is noticed long before request_timeout.
    CountFailure(slow, absl::DeadlineExceededError("another teacher answered first"), now);
  }
  part.answered = true;
  part.payload = std::move(payload);
  Pump(now);
}

void LabelSource::AskFailed(uint64_t request_id, const absl::Status& status,
                            absl::Duration retry_after, absl::Duration now) {
  const auto it = asks_.find(request_id);
  if (it == asks_.end()) return;
  const Ask ask = it->second;
  Part& part = EndAsk(request_id, TeacherLoad::End::kFailed, now);
  part.avoid = ask.endpoint;
  if (retry_after > absl::ZeroDuration()) {
    endpoints_.at(ask.endpoint).breaker.RestUntil(now + retry_after);
    endpoints_.at(ask.endpoint).last_error = status;
  } else {
    CountFailure(ask.endpoint, status, now);
  }
  if (IsFatal(status) || (part.ask == 0 && part.attempts >= options_.max_attempts)) {
    GiveUpOn(ask.step, part, status);
  }
  part.not_before = now + JitteredBackoff(options_.breaker, part.attempts - 1, random_());
  Pump(now);
}

void LabelSource::Distrust(const std::string& name, const absl::Status& why, absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it == endpoints_.end() || it->second.state == EndpointState::kRefused) return;
  Drop(it->second, std::string(why.message()), now);
  Refuse(it->second, why);
  Pump(now);
}

void LabelSource::Advance(absl::Duration now) { Pump(now); }

std::vector<LabelAction> LabelSource::TakeActions() { return std::exchange(actions_, {}); }

bool LabelSource::Ready() const {
  const auto it = steps_.find(next_step_);
  return it != steps_.end() &&
         std::ranges::all_of(it->second.parts, [](const Part& part) { return part.answered; });
}

std::vector<LabelPart> LabelSource::Take(absl::Duration now) {
  ABSL_RAW_CHECK(Ready(), "taking labels that are not there");
  std::vector<LabelPart> parts;
  for (Part& part : steps_.at(next_step_).parts) {
    parts.push_back({std::move(part.positions), std::move(part.payload)});
  }
  steps_.erase(next_step_++);
  Pump(now);
  return parts;
}

void LabelSource::Pump(absl::Duration now) {
  now_ = now;
  if (stopped_) return;
  ExpireAsks(now);
  OpenStreams(now);
  AskForWindow(now);
  HedgeLateAsks(now);
  CheckGivingUp(now);
}

void LabelSource::ExpireAsks(absl::Duration now) {
  std::vector<uint64_t> expired;
  for (const auto& [id, ask] : asks_) {
    if (ask.deadline <= now) expired.push_back(id);
  }
  for (const uint64_t id : expired) {
    const Ask ask = asks_.at(id);
    actions_.push_back(CancelAsk{id, ask.endpoint});
    const absl::Status late = absl::DeadlineExceededError(absl::StrCat(
        "no answer for step ", ask.step, " in ", absl::FormatDuration(now - ask.asked_at)));
    Part& part = EndAsk(id, TeacherLoad::End::kOvertaken, now);
    part.avoid = ask.endpoint;
    CountFailure(ask.endpoint, late, now);
    if (part.ask == 0 && part.attempts >= options_.max_attempts) {
      GiveUpOn(ask.step, part, late);
      return;
    }
  }
}

void LabelSource::OpenStreams(absl::Duration now) {
  for (auto& [name, endpoint] : endpoints_) {
    if (endpoint.state != EndpointState::kClosed || !endpoint.breaker.MayAsk(now)) continue;
    endpoint.state = EndpointState::kOpening;
    // Of this stream: it may drain before it is told of as open.
    endpoint.draining = false;
    actions_.push_back(OpenStream{endpoint.endpoint});
  }
}

void LabelSource::AskForWindow(absl::Duration now) {
  if (stopped_) return;
  const int64_t end = std::min(options_.end_step, next_step_ + options_.window_steps);
  for (int64_t number = next_step_; number < end; ++number) {
    auto [it, added] = steps_.try_emplace(number);
    Step& step = it->second;
    if (added) {
      const auto examples = static_cast<size_t>(options_.examples_per_step);
      std::vector<int32_t>& positions = step.parts.emplace_back().positions;
      positions.resize(examples);
      std::iota(positions.begin(), positions.end(), 0);
      if (options_.keys_of && !options_.exact) step.keys = options_.keys_of(number);
      if (step.keys.size() != examples) step.keys.clear();
    }
    for (size_t index = 0; index < step.parts.size(); ++index) {
      const Part& part = step.parts[index];
      // What is left of one that was cut comes later in the list, and is as it was.
      if (!part.answered && part.ask == 0 && part.not_before <= now) AskForPart(number, index, now);
    }
  }
}

void LabelSource::AskForPart(int64_t number, size_t index, absl::Duration now) {
  Step& step = steps_.at(number);
  const Part whole = step.parts[index];
  // The one to avoid is asked only when no other can be.
  for (const std::string& avoid : {whole.avoid, std::string()}) {
    const std::vector<Endpoint*> endpoints = Available(avoid, now);
    if (endpoints.empty()) continue;
    std::vector<TeacherCandidate> candidates = CandidatesOf(endpoints);
    std::vector<std::vector<int32_t>> divided =
        Divide(whole.positions, step.keys, endpoints, candidates, now);
    if (divided.back().size() == whole.positions.size()) continue;
    bool first = true;
    const auto next = [&](std::vector<int32_t>& positions) -> size_t {
      if (!std::exchange(first, false)) {
        index = step.parts.size();
        step.parts.push_back(whole);
      }
      step.parts[index].positions = std::move(positions);
      return index;
    };
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (divided[i].empty()) continue;
      Part& part = step.parts[next(divided[i])];
      if (part.attempts++ > 0) ++counters_.asked_again;
      if (part.period_end <= now) part.period_end = now + options_.request_timeout;
      part.ask = SendAsk(number, index, candidates[i], *endpoints[i], now);
      hedging_.Asked();
    }
    if (!divided.back().empty()) next(divided.back());  // waits
    return;
  }
}

std::vector<std::vector<int32_t>> LabelSource::Divide(const std::vector<int32_t>& positions,
                                                      const std::vector<uint64_t>& keys,
                                                      const std::vector<Endpoint*>& endpoints,
                                                      std::vector<TeacherCandidate>& candidates,
                                                      absl::Duration now) {
  std::vector<std::vector<int32_t>> divided(candidates.size() + 1);
  const auto examples = static_cast<int64_t>(positions.size());
  if (keys.empty()) {
    const int pieces = options_.exact ? 1 : PiecesOfStep(candidates, options_.window_steps);
    const int64_t piece = (options_.examples_per_step + pieces - 1) / pieces;
    DivideExamples(candidates, examples, piece, now, random_);
    auto begin = positions.begin();
    for (size_t i = 0; i < candidates.size(); ++i) {
      const auto end = begin + candidates[i].share;
      divided[i].assign(begin, end);
      begin = end;
    }
    divided.back().assign(begin, positions.end());
    return divided;
  }
  std::vector<uint64_t> wanted;
  for (const int32_t position : positions) wanted.push_back(keys[static_cast<size_t>(position)]);
  std::vector<RendezvousTeacher> teachers;
  for (const Endpoint* endpoint : endpoints) {
    teachers.push_back({TeacherHash(endpoint->endpoint.name)});
  }
  SetSpeedsAndRoom(candidates, examples, teachers);
  const std::vector<int> chosen = DivideByRendezvous(wanted, teachers);
  for (size_t i = 0; i < positions.size(); ++i) {
    const size_t to = chosen[i] < 0 ? candidates.size() : static_cast<size_t>(chosen[i]);
    divided[to].push_back(positions[i]);
    if (to < candidates.size()) ++candidates[to].share;
  }
  return divided;
}

uint64_t LabelSource::SendAsk(int64_t step, size_t index, const TeacherCandidate& candidate,
                              Endpoint& endpoint, absl::Duration now) {
  const Part& part = steps_.at(step).parts[index];
  const uint64_t id = next_request_++;
  Ask& ask = asks_[id];
  ask.step = step;
  ask.part = index;
  ask.examples = static_cast<int64_t>(part.positions.size());
  ask.endpoint = endpoint.endpoint.name;
  ask.asked_at = now;
  ask.deadline = std::max(part.period_end, now + options_.request_timeout / 4);
  ask.predicted = absl::Seconds(PredictSeconds(candidate, 0, now));
  endpoint.load.Asked(ask.examples, now);
  ++counters_.asks;
  actions_.push_back(AskLabels{id, ask.endpoint, step, part.positions, ask.deadline - now});
  return id;
}

void LabelSource::HedgeLateAsks(absl::Duration now) {
  next_late_ = absl::InfiniteDuration();
  if (stopped_) return;
  // The steps that are needed first come first.
  for (auto& [number, step] : steps_) {
    for (size_t index = 0; index < step.parts.size(); ++index) {
      const Part& part = step.parts[index];
      if (part.ask == 0 || part.hedge != 0) continue;
      const Ask& ask = asks_.at(part.ask);
      const std::optional<absl::Duration> late_after = hedging_.LateAfter(ask.predicted);
      if (!late_after.has_value()) continue;  // earned by asking, which comes here again
      if (now < ask.asked_at + *late_after) {
        next_late_ = std::min(next_late_, ask.asked_at + *late_after);
      } else {
        Hedge(number, index, *late_after, now);
      }
    }
  }
}

// Only a teacher that is known to work, and would have answered in the time that this one had.
void LabelSource::Hedge(int64_t step, size_t index, absl::Duration late_after, absl::Duration now) {
  Part& part = steps_.at(step).parts[index];
  std::vector<Endpoint*> endpoints = Available(asks_.at(part.ask).endpoint, now);
  std::erase_if(endpoints, [&](const Endpoint* endpoint) {
    return endpoint->breaker.half_open() || !endpoint->load.Known();
  });
  std::vector<TeacherCandidate> candidates = CandidatesOf(endpoints);
  size_t best = 0;
  double soonest = absl::ToDoubleSeconds(late_after);
  for (size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].share = static_cast<int64_t>(part.positions.size());
    const double seconds = PredictSeconds(candidates[i], 0, now);
    if (seconds >= soonest) continue;
    soonest = seconds;
    best = i + 1;
  }
  if (best == 0) return;
  hedging_.Spend();
  ++counters_.hedges;
  part.hedge = SendAsk(step, index, candidates[best - 1], *endpoints[best - 1], now);
}

std::vector<LabelSource::Endpoint*> LabelSource::Available(const std::string& avoid,
                                                           absl::Duration now) {
  std::vector<Endpoint*> available;
  for (auto& [name, endpoint] : endpoints_) {
    if (endpoint.state == EndpointState::kOpen && !endpoint.draining && name != avoid &&
        endpoint.breaker.MayAsk(now) && endpoint.load.asks() < options_.max_asks_per_teacher) {
      available.push_back(&endpoint);
    }
  }
  return available;
}

std::vector<TeacherCandidate> LabelSource::CandidatesOf(const std::vector<Endpoint*>& endpoints) {
  std::vector<TeacherCandidate> candidates;
  for (const Endpoint* endpoint : endpoints) {
    candidates.push_back({&endpoint->load, endpoint->breaker.half_open()});
  }
  EstimateAll(candidates);
  return candidates;
}

LabelSource::Part& LabelSource::EndAsk(uint64_t request_id, TeacherLoad::End how,
                                       absl::Duration now) {
  const auto it = asks_.find(request_id);
  const Ask& ask = it->second;
  endpoints_.at(ask.endpoint).load.Ended(how, ask.examples, ask.asked_at, now);
  Part& part = steps_.at(ask.step).parts[ask.part];
  if (part.ask == request_id) part.ask = part.hedge;
  part.hedge = 0;
  asks_.erase(it);
  return part;
}

void LabelSource::WithdrawAllOf(const std::string& name, absl::Duration now) {
  std::vector<uint64_t> its;
  for (const auto& [id, ask] : asks_) {
    if (ask.endpoint == name) its.push_back(id);
  }
  for (const uint64_t id : its) {
    Part& part = EndAsk(id, TeacherLoad::End::kFailed, now);
    // The teacher failed, not the ask: only asks that fail use up attempts, so that
    // a fleet that is replaced one by one ends no run.
    if (part.ask == 0) part.attempts = std::max(1, part.attempts - 1);
  }
  const bool was_open = endpoints_.at(name).state == EndpointState::kOpen;
  endpoints_.at(name).state = EndpointState::kClosed;
  if (was_open && !AnyOpen()) none_open_since_ = now;
}

void LabelSource::Drop(Endpoint& endpoint, const std::string& reason, absl::Duration now) {
  const std::string name = endpoint.endpoint.name;
  const bool connected =
      endpoint.state == EndpointState::kOpen || endpoint.state == EndpointState::kOpening;
  WithdrawAllOf(name, now);
  if (connected) actions_.push_back(CloseStream{name, reason});
}

void LabelSource::Refuse(Endpoint& endpoint, const absl::Status& why) {
  endpoint.state = EndpointState::kRefused;
  endpoint.last_error = why;
  counters_.refused[endpoint.endpoint.name] = std::string(why.message());
}

void LabelSource::CountFailure(const std::string& name, const absl::Status& why,
                               absl::Duration now) {
  Endpoint& endpoint = endpoints_.at(name);
  endpoint.last_error = why;
  if (endpoint.breaker.Failed(now, random_())) ++counters_.breaker_openings;
}

bool LabelSource::AnyOpen() const {
  return std::ranges::any_of(
      endpoints_, [](const auto& entry) { return entry.second.state == EndpointState::kOpen; });
}

void LabelSource::GiveUpOn(int64_t step, const Part& part, const absl::Status& why) {
  const std::string context = absl::StrCat("no labels for step ", step, " after ", part.attempts,
                                           " attempts; last, from ", part.avoid);
  Stop(WithErrorId(Annotate(why, context), ErrorId::kAnyTeacher));
}

void LabelSource::CheckGivingUp(absl::Duration now) {
  if (stopped_ || AnyOpen() || next_step_ >= options_.end_step) return;
  if (now < none_open_since_ + options_.no_teacher_timeout) return;
  std::string tried =
      endpoints_.empty() ? "; the coordinator knows of none: start a teacher server" : "";
  for (const auto& [name, endpoint] : endpoints_) {
    absl::StrAppend(&tried, "; ", name, " at ", endpoint.endpoint.address, ": ",
                    endpoint.last_error.ok() ? "no answer yet" : endpoint.last_error.message());
  }
  const std::string waited = absl::FormatDuration(options_.no_teacher_timeout);
  const auto why = absl::StrCat("no teacher has served this run for ", waited, tried);
  Stop(WithErrorId(absl::UnavailableError(why), ErrorId::kNoTeacherReady));
}

void LabelSource::Stop(absl::Status status) {
  if (std::exchange(stopped_, true)) return;
  actions_.push_back(GiveUp{std::move(status)});
}

// What could be done by now has been: only what lies ahead counts.
absl::Duration LabelSource::NextDeadline() const {
  if (stopped_ || next_step_ >= options_.end_step) return absl::InfiniteDuration();
  const bool any_open = AnyOpen();
  absl::Duration next = any_open ? next_late_ : none_open_since_ + options_.no_teacher_timeout;
  const auto at = [&](absl::Duration when) {
    if (when > now_) next = std::min(next, when);
  };
  for (const auto& [id, ask] : asks_) at(ask.deadline);
  for (const auto& [name, endpoint] : endpoints_) {
    if (endpoint.state == EndpointState::kClosed || endpoint.state == EndpointState::kOpen) {
      at(endpoint.breaker.rest_until());
    }
  }
  if (!any_open) return next;
  for (const auto& [number, step] : steps_) {
    for (const Part& part : step.parts) {
      if (!part.answered && part.ask == 0) at(part.not_before);
    }
  }
  return next;
}

}  // namespace distill
