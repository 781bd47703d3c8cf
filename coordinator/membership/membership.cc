#include "coordinator/membership/membership.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"

namespace distill {

using v1::MemberStatus;

namespace {

// A reported rate above this is a mistake.
constexpr double kMaxRowsPerSecond = 1e9;

double Within(double value, double max) {
  return std::isfinite(value) ? std::clamp(value, 0.0, max) : 0.0;
}

// Nothing for a member that is known from the journal only.
std::string From(const PeerIdentity& peer) {
  return peer.address.empty() ? "" : absl::StrCat(", from ", peer.address);
}

}  // namespace

absl::Status MembershipOptions::Validate() const {
  if (absl::ZeroDuration() < suspect_after && suspect_after < gone_after) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "membership: suspect_after (", absl::FormatDuration(suspect_after),
      ") must be above 0 and below gone_after (", absl::FormatDuration(gone_after), ")"));
}

absl::Status Membership::Hello(const v1::Hello& hello, const PeerIdentity& peer, absl::Time now) {
  if (hello.worker().empty() || hello.incarnation() == 0 || hello.role() == v1::ROLE_UNSPECIFIED) {
    return absl::InvalidArgumentError("hello needs a worker name, an incarnation and a role");
  }
  const auto it = members_.find(hello.worker());
  if (it == members_.end()) {
    if (members_.size() >= options_.max_members) {
      return absl::ResourceExhaustedError(
          absl::StrCat("worker \"", hello.worker(), "\": ", members_.size(),
                       " worker names are known already, which is the bound"));
    }
  } else if (it->second.hello.incarnation() != hello.incarnation() &&
             it->second.state != MemberStatus::GONE) {
    return WithErrorId(
        absl::AlreadyExistsError(absl::StrCat(
            "worker \"", hello.worker(), "\" (process ", it->second.hello.process_id(),
            From(it->second.peer), ") is alive: stop it or use another name; if it died, retry in ",
            absl::FormatDuration(options_.gone_after))),
        ErrorId::kNameInUse);
  }
  Member& member = members_[hello.worker()];
  // A restarted server has loaded nothing yet.
  if (member.hello.incarnation() != hello.incarnation()) {
    member.teacher_state.Clear();
    member.teacher_load.reset();
  }
  member.hello = hello;
  member.peer = peer;
  member.state = MemberStatus::ALIVE;
  member.last_heard = now;
  member.expected = false;
  member.reason.clear();
  return absl::OkStatus();
}

void Membership::Expect(v1::Role role, const std::string& worker, uint64_t incarnation,
                        absl::Time now) {
  Member& member = members_[worker];
  member.hello.set_role(role);
  member.hello.set_worker(worker);
  member.hello.set_incarnation(incarnation);
  member.state = MemberStatus::SUSPECT;
  member.last_heard = now;
  member.expected = true;
  member.reason = "not heard of since the coordinator started";
}

Membership::Member* Membership::FindPresent(std::string_view worker, uint64_t incarnation) {
  const auto it = members_.find(std::string(worker));
  if (it == members_.end() || it->second.hello.incarnation() != incarnation ||
      it->second.state == MemberStatus::GONE) {
    return nullptr;
  }
  return &it->second;
}

absl::Status Membership::Heartbeat(std::string_view worker, uint64_t incarnation, absl::Time now) {
  Member* member = FindPresent(worker, incarnation);
  if (member == nullptr) {
    return absl::NotFoundError(absl::StrCat("worker \"", std::string(worker),
                                            "\" counts as gone: attend again with a hello"));
  }
  member->state = MemberStatus::ALIVE;
  member->last_heard = std::max(member->last_heard, now);
  member->reason.clear();
  return absl::OkStatus();
}

absl::Status Membership::SetTeacherState(std::string_view worker, uint64_t incarnation,
                                         const v1::TeacherState& state, absl::Time now) {
  absl::Status heard = Heartbeat(worker, incarnation, now);
  if (!heard.ok()) return heard;
  Member* member = FindPresent(worker, incarnation);
  if (member->hello.role() != v1::TEACHER_SERVER) {
    return absl::InvalidArgumentError(absl::StrCat("worker \"", std::string(worker),
                                                   "\" is no teacher server but reports as one"));
  }
  member->teacher_state = state;
  return absl::OkStatus();
}

void Membership::SetTeacherLoad(std::string_view worker, uint64_t incarnation,
                                const v1::TeacherLoad& load) {
  Member* member = FindPresent(worker, incarnation);
  if (member == nullptr || member->hello.role() != v1::TEACHER_SERVER) return;
  v1::TeacherLoad& kept = member->teacher_load.emplace();
  kept.set_rows_per_second(Within(load.rows_per_second(), kMaxRowsPerSecond));
  kept.set_busy_ratio(Within(load.busy_ratio(), 1));
  kept.set_queue_rows(std::max<int64_t>(0, load.queue_rows()));
  kept.set_queue_requests(std::max<int64_t>(0, load.queue_requests()));
  if (load.has_cache_hit_ratio()) kept.set_cache_hit_ratio(Within(load.cache_hit_ratio(), 1));
}

void Membership::Leaving(std::string_view worker, uint64_t incarnation, const std::string& reason) {
  Member* member = FindPresent(worker, incarnation);
  if (member == nullptr) return;
  member->state = MemberStatus::GONE;
  member->reason = absl::StrCat("left: ", reason);
}

void Membership::StreamLost(std::string_view worker, uint64_t incarnation) {
  Member* member = FindPresent(worker, incarnation);
  if (member == nullptr || member->state == MemberStatus::SUSPECT) return;
  member->state = MemberStatus::SUSPECT;
  member->reason = "its stream broke";
}

std::vector<Membership::Change> Membership::Advance(absl::Time now) {
  std::vector<Change> changes;
  for (auto& [name, member] : members_) {
    const absl::Duration silent = now - member.last_heard;
    State to = member.state;
    if (member.state != MemberStatus::GONE && silent >= options_.gone_after) {
      to = MemberStatus::GONE;
    } else if (member.state == MemberStatus::ALIVE && silent >= options_.suspect_after) {
      to = MemberStatus::SUSPECT;
    }
    if (to == member.state) continue;
    member.state = to;
    member.reason = absl::StrCat(
        "silent for ", absl::FormatDuration(absl::Trunc(silent, absl::Milliseconds(100))));
    changes.push_back({name, member.hello.incarnation(), to});
  }
  return changes;
}

std::optional<absl::Time> Membership::NextDeadline() const {
  std::optional<absl::Time> next;
  for (const auto& [name, member] : members_) {
    if (member.state == MemberStatus::GONE) continue;
    const absl::Time due =
        member.last_heard +
        (member.state == MemberStatus::ALIVE ? options_.suspect_after : options_.gone_after);
    if (!next.has_value() || due < *next) next = due;
  }
  return next;
}

const Membership::Member* Membership::Find(std::string_view worker) const {
  const auto it = members_.find(std::string(worker));
  return it == members_.end() ? nullptr : &it->second;
}

bool Membership::IsPresent(std::string_view worker, uint64_t incarnation) const {
  const Member* member = Find(worker);
  return member != nullptr && member->hello.incarnation() == incarnation &&
         member->state != MemberStatus::GONE;
}

v1::TeacherEndpoints Membership::ReadyTeachers(const std::string& model,
                                               const std::string& fingerprint) const {
  v1::TeacherEndpoints out;
  out.set_model(model);
  for (const auto& [name, member] : members_) {
    const v1::TeacherState& teacher = member.teacher_state;
    if (member.state == MemberStatus::GONE || member.expected) continue;
    if (teacher.state() != v1::TeacherState::READY || teacher.model() != model ||
        teacher.fingerprint() != fingerprint) {
      continue;
    }
    v1::TeacherEndpoints::Endpoint* endpoint = out.add_endpoints();
    endpoint->set_worker(name);
    endpoint->set_incarnation(member.hello.incarnation());
    endpoint->set_address(member.hello.address());
    *endpoint->mutable_numerics_class() = teacher.numerics_class();
  }
  return out;
}

std::vector<const Membership::Member*> Membership::ProposeWorld(
    size_t size, const std::set<std::string>& busy) const {
  std::vector<const Member*> world;
  for (const auto& [name, member] : members_) {
    if (world.size() == size) break;
    if (member.hello.role() != v1::STUDENT_WORKER) continue;
    if (member.state != MemberStatus::ALIVE || busy.count(name)) continue;
    world.push_back(&member);
  }
  if (world.size() < size) world.clear();
  return world;
}

std::vector<v1::MemberStatus> Membership::Status() const {
  std::vector<v1::MemberStatus> out;
  for (const auto& [name, member] : members_) {
    MemberStatus& status = out.emplace_back();
    status.set_worker(name);
    status.set_role(member.hello.role());
    status.set_state(member.state);
    status.set_address(member.hello.address());
    status.set_process_id(member.hello.process_id());
    status.set_ops_address(member.hello.ops_address());
    if (member.hello.role() == v1::TEACHER_SERVER) {
      *status.mutable_teacher_state() = member.teacher_state;
      if (member.teacher_load.has_value()) *status.mutable_teacher_load() = *member.teacher_load;
    }
  }
  return out;
}

}  // namespace distill
