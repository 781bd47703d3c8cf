// The coordinator's decisions, without gRPC, threads or a clock of its own: events
// come in, directives and answers go out.
//
//   coordinator->OnHello(session, peer, hello, now);
//   for (Output& output : coordinator->TakeOutputs()) send(output);
//   timer.Set(coordinator->NextDeadline());     // then OnTime(now)
//
// Confined to one thread (the service's executor): calls may wait for the disk, so
// no RPC thread makes them and no lock is held over them. Rendezvous is shared
// with RPC threads and is thread-safe by itself.
//
// Decisions are level-triggered: after each event everything that should hold
// (worlds, grants, teachers, what each member was told) is compared with what does,
// so a decision that the disk refused is taken again at the next event or deadline.
#ifndef COORDINATOR_SERVICE_DECISIONS_COORDINATOR_H_
#define COORDINATOR_SERVICE_DECISIONS_COORDINATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/journal/journal.h"
#include "coordinator/membership/membership.h"
#include "coordinator/service/decisions/rendezvous.h"
#include "coordinator/store/interface.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct CoordinatorOptions {
  MembershipOptions membership;
  JournalOptions journal;
  absl::Duration heartbeat_interval = absl::Seconds(1);
  // A grant reaches at least so many steps and so much time ahead.
  int64_t grant_steps = 64;
  absl::Duration grant_time = absl::Seconds(60);
  // A run whose worlds break so often without a new checkpoint fails.
  uint64_t max_worlds_without_commit = 32;
  // Tell every process to exit when the plan has ended.
  bool stop_processes_with_plan = true;
  // A decision that the disk refused is tried again after this.
  absl::Duration retry_delay = absl::Seconds(1);
  // Full validation and defaults of a plan; the result is what is journaled.
  std::function<absl::StatusOr<v1::PlanConfig>(const v1::PlanConfig&)> resolve_plan;
  std::function<std::string(const v1::DataSetConfig&)> data_set_digest;

  absl::Status Validate() const;
};

class Coordinator {
 public:
  // One Attend stream; numbers are never used again.
  using SessionId = uint64_t;

  // To be sent on a stream, in order; or, without a directive, its end.
  struct Output {
    SessionId session = 0;
    std::optional<v1::Directive> directive;
    absl::Status end;
  };

  // Replays the journal and takes the next fence. Members of worlds that the
  // journal knows have gone_after to say hello. `store` and `rendezvous` outlive
  // the coordinator. Codes: the store's, DATA_LOSS (see Journal::Open).
  static absl::StatusOr<std::unique_ptr<Coordinator>> Start(Store* store, Rendezvous* rendezvous,
                                                            const CoordinatorOptions& options,
                                                            absl::Time now);

  // Attend. On failure (codes in coordinator.proto) the stream is to be ended with
  // the status.
  absl::Status OnHello(SessionId session, const PeerIdentity& peer, const v1::Hello& hello,
                       absl::Time now);
  // Every later report. As above.
  absl::Status OnReport(SessionId session, const v1::AttendReport& report, absl::Time now);
  void OnStreamLost(SessionId session, absl::Time now);
  void OnTime(absl::Time now);

  // Unary calls; semantics and codes in coordinator.proto and admin.proto. A store's
  // error means that nothing is known to have happened: ask again with the same key.
  absl::StatusOr<std::string> SubmitPlan(const v1::SubmitPlanRequest& request, absl::Time now);
  absl::StatusOr<v1::ScheduleVersion> UpdateSchedule(const v1::UpdateScheduleRequest& request,
                                                     absl::Time now);
  absl::StatusOr<v1::CommitCheckpointResponse> CommitCheckpoint(
      const v1::CommitCheckpointRequest& request, absl::Time now);
  absl::Status FinishRun(const v1::FinishRunRequest& request, absl::Time now);
  absl::Status FailRun(const v1::FailRunRequest& request, absl::Time now);
  absl::Status StopPlan(const std::string& idempotency_key, const std::string& reason,
                        absl::Time now);
  absl::Status ResumePlan(const std::string& idempotency_key, absl::Time now);
  // NOT_FOUND when no plan was submitted.
  absl::StatusOr<v1::PlanStatus> GetPlan() const;

  std::vector<Output> TakeOutputs() { return std::exchange(outputs_, {}); }
  std::optional<absl::Time> NextDeadline() const;
  // Of the newest attempt to decide. ABORTED: another coordinator has taken over,
  // this process must exit.
  const absl::Status& health() const { return health_; }
  const CoordinatorState& state() const { return journal_->state(); }
  const Membership& membership() const { return membership_; }

 private:
  using Run = CoordinatorState::Run;
  using WorldId = Rendezvous::Scope;

  // What a process was told over its present stream.
  struct Session {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    std::string worker;
    uint64_t incarnation = 0;
    uint64_t sequence = 0;
    WorldId world;
    int64_t granted = 0;
    size_t schedules = 0;
    std::map<std::string, std::string> endpoints;  // model -> serialized
    std::string serve;                             // serialized
    // Told to exit: gets no further work.
    bool stop = false;
  };
  // Of a run, not journaled: begins anew with each world and each coordinator.
  struct Volatile {
    uint64_t generation = 0;
    v1::Progress progress;
    // Of every rank, by the name of its worker.
    std::map<std::string, v1::Progress> progress_of;
    int64_t step = 0;
    double steps_per_second = 0;
    // Exact runs: model -> the numerics class whose servers may be used.
    std::map<std::string, std::string> numerics;
    std::string waits_for;
  };

  Coordinator(std::unique_ptr<Journal> journal, Rendezvous* rendezvous,
              const CoordinatorOptions& options)
      : options_(options),
        rendezvous_(rendezvous),
        journal_(std::move(journal)),
        membership_(options.membership) {}

  // Decide (coordinator_drive.cc).
  void Drive(absl::Time now);
  absl::Status Decide();
  absl::Status BreakWorldsOfTheGone();
  absl::Status StartRuns();
  absl::StatusOr<bool> TryStart(const Run& run);
  absl::Status FormWorld(const Run& run, const std::vector<const Membership::Member*>& members);
  absl::Status ExtendGrants();
  void Assign();
  // Empty when the teachers of `run` are ready; else what it waits for.
  std::string MissingTeacher(const Run& run) const;
  // A model of `run` whose every server failed to load it: why; else OK.
  absl::Status FailedTeacher(const Run& run) const;
  absl::Status Fail(const Run& run, const std::string& worker, absl::StatusCode code,
                    const std::string& message);

  // Tell (coordinator_drive.cc).
  void Tell();
  void TellStudent(SessionId id, Session& session);
  void TellTeacher(SessionId id, Session& session);
  void TellEndpoints(SessionId id, Session& session, const Run& run);
  v1::World WorldOf(const Run& run) const;
  v1::Serve ServeOf(const std::string& model) const;
  v1::TeacherEndpoints EndpointsOf(const Run& run, const std::string& model) const;
  v1::Directive& Send(SessionId id, Session& session, const WorldId& world);
  void End(SessionId id, const absl::Status& status);

  bool IsStopping(const std::string& worker) const;
  void OnProgress(const Session& session, const v1::AttendReport& report);
  const Run* WorldOfMember(const std::string& worker, uint64_t incarnation) const;
  Volatile& VolatileOf(const Run& run);

  const CoordinatorOptions options_;
  Rendezvous* const rendezvous_;
  const std::unique_ptr<Journal> journal_;
  Membership membership_;
  std::map<SessionId, Session> sessions_;
  std::map<std::string, SessionId> session_of_;    // by worker
  std::map<std::string, Volatile> volatile_;       // by run
  std::map<std::string, std::string> assignment_;  // teacher server -> model
  std::vector<Output> outputs_;
  absl::Status health_;
  std::optional<absl::Time> retry_at_;
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_DECISIONS_COORDINATOR_H_
