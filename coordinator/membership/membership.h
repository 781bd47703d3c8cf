// Who is alive: one entry per worker name, driven by what was heard and when.
//
//            hello                 silent for suspect_after, or its stream lost
//   (none) --------> ALIVE ---------------------------------------> SUSPECT
//                    ^ |  ^             heartbeat, hello                |
//              hello | |  '---------------------------------------------|
//                    | v  leaving                                       v
//                    GONE <---------------------------------------------'
//                             silent for gone_after
//
// Times are readings of one monotonic clock, passed in. Thread-compatible. Pure.
#ifndef COORDINATOR_MEMBERSHIP_MEMBERSHIP_H_
#define COORDINATOR_MEMBERSHIP_MEMBERSHIP_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/peer_identity.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct MembershipOptions {
  absl::Duration suspect_after = absl::Seconds(3);
  absl::Duration gone_after = absl::Seconds(5);
  // Names ever seen; a further one is refused.
  size_t max_members = 10'000;

  // INVALID_ARGUMENT unless 0 < suspect_after < gone_after.
  absl::Status Validate() const;
};

class Membership {
 public:
  using State = v1::MemberStatus::MemberState;

  struct Member {
    v1::Hello hello;
    PeerIdentity peer;  // Whose stream said it.
    State state = v1::MemberStatus::ALIVE;
    absl::Time last_heard;
    // Known from the journal only: has not said hello to this coordinator yet.
    bool expected = false;
    v1::TeacherState teacher_state;
    // Unset until it has said something.
    std::optional<v1::TeacherLoad> teacher_load;
    // Why it is SUSPECT or GONE, for people.
    std::string reason;
  };

  struct Change {
    std::string worker;
    uint64_t incarnation = 0;
    State to = v1::MemberStatus::ALIVE;
  };

  explicit Membership(const MembershipOptions& options) : options_(options) {}

  // The same incarnation again succeeds and replaces what it said. Codes:
  //   INVALID_ARGUMENT    no name, incarnation, or role
  //   ALREADY_EXISTS      another incarnation of this name is not GONE: retry after
  //                       gone_after, or give the process a name of its own
  //   RESOURCE_EXHAUSTED  max_members names are known
  absl::Status Hello(const v1::Hello& hello, const PeerIdentity& peer, absl::Time now);

  // A member of a world that the journal knows: it counts as heard of at `now`, so
  // that after a coordinator's restart it has gone_after to say hello.
  void Expect(v1::Role role, const std::string& worker, uint64_t incarnation, absl::Time now);

  // NOT_FOUND when this incarnation is unknown or GONE: its stream is to be ended,
  // so that it says hello again.
  absl::Status Heartbeat(std::string_view worker, uint64_t incarnation, absl::Time now);
  // As Heartbeat; INVALID_ARGUMENT when it is no teacher server.
  absl::Status SetTeacherState(std::string_view worker, uint64_t incarnation,
                               const v1::TeacherState& state, absl::Time now);
  // For people only: nothing happens when this incarnation is unknown, GONE or no teacher
  // server. Numbers that are not finite or out of their range are dropped.
  void SetTeacherLoad(std::string_view worker, uint64_t incarnation, const v1::TeacherLoad& load);
  // Nothing happens when this incarnation is unknown or GONE.
  void Leaving(std::string_view worker, uint64_t incarnation, const std::string& reason);
  void StreamLost(std::string_view worker, uint64_t incarnation);

  // Moves the silent to SUSPECT and GONE; says whom, by name.
  std::vector<Change> Advance(absl::Time now);
  // When Advance will next have something to do; unset: not before the next event.
  std::optional<absl::Time> NextDeadline() const;

  // Null when unknown. Valid until the next call that changes anything.
  const Member* Find(std::string_view worker) const;
  // This incarnation, not GONE.
  bool IsPresent(std::string_view worker, uint64_t incarnation) const;
  const std::map<std::string, Member>& members() const { return members_; }

  // READY servers of exactly this model and fingerprint that are not GONE, by name.
  v1::TeacherEndpoints ReadyTeachers(const std::string& model,
                                     const std::string& fingerprint) const;

  // The first `size` ALIVE students by name that are not in `busy`: position is
  // rank. Empty when there are fewer.
  std::vector<const Member*> ProposeWorld(size_t size, const std::set<std::string>& busy) const;

  std::vector<v1::MemberStatus> Status() const;

 private:
  Member* FindPresent(std::string_view worker, uint64_t incarnation);

  const MembershipOptions options_;
  std::map<std::string, Member> members_;
};

}  // namespace distill

#endif  // COORDINATOR_MEMBERSHIP_MEMBERSHIP_H_
