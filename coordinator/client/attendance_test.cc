#include "coordinator/client/attendance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/client/loopback_coordinator.h"
#include "proto/coordinator.grpc.pb.h"

namespace distill {
namespace {

// Looks every millisecond until `condition` holds; false: not within kTestPatience.
bool Eventually(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kTestPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using AttendStream = grpc::ServerReaderWriter<v1::Directive, v1::AttendReport>;

// A coordinator that does with each stream, after its hello, what a test says.
class ScriptedCoordinator {
 public:
  using Script = std::function<grpc::Status(grpc::ServerContext&, AttendStream&)>;
  explicit ScriptedCoordinator(Script script) : service_(std::move(script)) {
    auto server =
        RpcServer::Start({.listen = "127.0.0.1:0", .transport = {}, .services = {&service_}});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  const std::string& address() const { return server_->address(); }
  int hellos() const { return service_.hellos; }

 private:
  class Service final : public v1::CoordinatorService::Service {
   public:
    explicit Service(Script script) : script_(std::move(script)) {}
    grpc::Status Attend(grpc::ServerContext* context, AttendStream* stream) override {
      v1::AttendReport report;
      EXPECT_TRUE(stream->Read(&report));
      EXPECT_TRUE(report.has_hello());
      ++hellos;
      return script_(*context, *stream);
    }
    std::atomic<int> hellos = 0;

   private:
    const Script script_;
  };

  Service service_;
  std::unique_ptr<RpcServer> server_;
};

v1::Directive Welcome(uint64_t fence) {
  v1::Directive directive;
  directive.set_fence(fence);
  directive.mutable_welcome()->mutable_heartbeat_interval()->set_seconds(1);
  return directive;
}

v1::Directive Order(uint64_t fence, uint64_t sequence) {
  v1::Directive directive;
  directive.set_fence(fence);
  directive.set_sequence(sequence);
  directive.mutable_pause();
  return directive;
}

// Reads until the peer is done.
grpc::Status ReadAll(AttendStream& stream) {
  v1::AttendReport report;
  while (stream.Read(&report)) {
  }
  return grpc::Status::OK;
}

v1::Hello Student(uint64_t incarnation = 1) {
  v1::Hello hello;
  hello.set_role(v1::STUDENT_WORKER);
  hello.set_worker("student-0");
  hello.set_incarnation(incarnation);
  hello.set_address("127.0.0.1");
  return hello;
}

class AttendanceTest : public ::testing::Test {
 protected:
  AttendanceTest() : timers_(&clock_), disk_(std::make_shared<MemoryDisk>()) {}
  ~AttendanceTest() override {
    if (attendance_ != nullptr) attendance_->Leave("the test ends");
  }

  void Attend(const std::string& address, absl::Duration give_up_after = absl::Minutes(5)) {
    AttendanceOptions options;
    options.coordinator = address_ = address;
    options.hello = Student();
    options.give_up_after = give_up_after;
    AttendanceEvents events;
    events.on_directive = [this](const v1::Directive& directive) {
      absl::MutexLock lock(&mu_);
      directives_.push_back(directive);
      ++events_;
    };
    events.on_welcome = [this] {
      ++welcomes_;
      ++events_;
    };
    events.on_alone = [this](const absl::Status& status) {
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr("does not attend the coordinator at " + address_),
                        HasSubstr("for up to ")));
      ++alone_;
      ++events_;
      if (while_alone_) while_alone_();
    };
    events.on_given_up = [this](const absl::Status& status) {
      absl::MutexLock lock(&mu_);
      given_up_.push_back(status);
      ++events_;
    };
    events.on_heartbeat = [this](v1::Heartbeat& heartbeat) {
      heartbeat.mutable_teacher_load()->set_rows_per_second(42);
      ++events_;
    };
    auto started = Attendance::Start(options, events, &timers_, &clock_, [] { return 0.0; });
    ASSERT_TRUE(started.ok()) << started.status();
    attendance_ = *std::move(started);
  }
  std::vector<v1::Directive> directives() {
    absl::MutexLock lock(&mu_);
    return directives_;
  }
  std::vector<v1::Directive> Of(v1::Directive::DirectiveCase what) {
    std::vector<v1::Directive> found;
    for (const v1::Directive& directive : directives()) {
      if (directive.directive_case() == what) found.push_back(directive);
    }
    return found;
  }
  std::vector<uint64_t> Sequences() {
    std::vector<uint64_t> sequences;
    for (const v1::Directive& directive : directives()) sequences.push_back(directive.sequence());
    return sequences;
  }
  std::vector<absl::Status> given_up() {
    absl::MutexLock lock(&mu_);
    return given_up_;
  }
  absl::Time Now() { return absl::UnixEpoch() + clock_.MonotonicNow(); }
  void Submit(LoopbackCoordinator& coordinator) {
    coordinator.Do(
        [this](Coordinator& c) { EXPECT_TRUE(c.SubmitPlan(SmallPlan("k"), Now()).ok()); });
  }

  FakeClock clock_;
  FakeTimerQueue timers_;
  const std::shared_ptr<MemoryDisk> disk_;
  std::atomic<int> welcomes_ = 0;
  std::string address_;
  std::atomic<int> alone_ = 0;
  std::atomic<int> events_ = 0;
  std::function<void()> while_alone_;
  absl::Mutex mu_;
  std::vector<v1::Directive> directives_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Status> given_up_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Attendance> attendance_;
};

TEST_F(AttendanceTest, AHelloIsWelcomedAndHeartbeatsKeepTheMemberAlive) {
  LoopbackCoordinator coordinator(disk_, &clock_, &timers_);
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  for (int second = 0; second < 10; ++second) {
    timers_.Advance(absl::Seconds(1));
    ASSERT_TRUE(Eventually([&] {
      absl::Time heard;
      coordinator.Do([&](Coordinator& c) { heard = c.membership().Find("student-0")->last_heard; });
      return heard == Now();
    })) << "no heartbeat in second "
        << second;
  }
  EXPECT_EQ(coordinator.Member("student-0").state(), v1::MemberStatus::ALIVE);
  EXPECT_EQ(welcomes_, 1);
  EXPECT_EQ(alone_, 0);
}

TEST_F(AttendanceTest, AHeartbeatCarriesWhatTheProcessPutsIntoIt) {
  std::atomic<double> rows = 0;
  ScriptedCoordinator coordinator([&](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(1));
    for (v1::AttendReport report; stream.Read(&report);) {
      if (report.has_heartbeat()) rows = report.heartbeat().teacher_load().rows_per_second();
    }
    return grpc::Status::OK;
  });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  timers_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Eventually([&] { return rows == 42; }));
  attendance_->Leave("done");
}

TEST_F(AttendanceTest, WhatWasPassedOnIsAcknowledgedAndWhatIsOutOfDateIsNot) {
  std::set<uint64_t> acknowledged;
  absl::Notification done;
  ScriptedCoordinator coordinator([&](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(/*fence=*/5));
    stream.Write(Order(/*fence=*/5, /*sequence=*/2));
    stream.Write(Order(/*fence=*/4, /*sequence=*/3));
    stream.Write(Order(/*fence=*/5, /*sequence=*/4));
    v1::AttendReport report;
    // An unsent one gives way to the next, so 2 may be left out.
    while (acknowledged.count(4) == 0 && stream.Read(&report)) {
      if (report.has_ack()) acknowledged.insert(report.ack().sequence());
    }
    done.Notify();
    return ReadAll(stream);
  });
  Attend(coordinator.address());
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_EQ(acknowledged.count(3), 0u);
  attendance_->Leave("the test ends");
  attendance_ = nullptr;
}

TEST_F(AttendanceTest, AReportBeforeHelloEndsTheStreamAsInvalid) {
  LoopbackCoordinator coordinator(disk_, &clock_, &timers_);
  const auto channel = CreateChannel({}, coordinator.address());
  ASSERT_TRUE(channel.ok()) << channel.status();
  const auto stub = v1::CoordinatorService::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kTestPatience));
  const auto stream = stub->Attend(&context);
  v1::AttendReport report;
  report.mutable_heartbeat();
  ASSERT_TRUE(stream->Write(report));
  v1::Directive directive;
  EXPECT_FALSE(stream->Read(&directive));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("hello"));
}

TEST_F(AttendanceTest, DirectivesArriveInOrder) {
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(1));
    for (uint64_t i = 0; i < 1000; ++i) stream.Write(Order(1, i));
    return ReadAll(stream);
  });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return directives().size() >= 1000; }));
  std::vector<uint64_t> expected;
  for (uint64_t i = 0; i < 1000; ++i) expected.push_back(i);
  EXPECT_EQ(Sequences(), expected);
}

TEST_F(AttendanceTest, DirectivesOfAnOlderFenceAreNotPassedOn) {
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(5));
    stream.Write(Order(5, 1));
    stream.Write(Order(4, 2));
    stream.Write(Order(6, 3));
    stream.Write(Order(5, 4));
    stream.Write(Order(6, 5));
    return ReadAll(stream);
  });
  Attend(coordinator.address());
  ASSERT_TRUE(
      Eventually([&] { return !directives().empty() && directives().back().sequence() == 5; }));
  EXPECT_THAT(Sequences(), ElementsAre(1, 3, 5));
}

TEST_F(AttendanceTest, ACoordinatorThatComesBackOnItsPortIsAttendedAgainAndSaysWhatStands) {
  std::optional<LoopbackCoordinator> coordinator;
  coordinator.emplace(disk_, &clock_, &timers_);
  Submit(*coordinator);
  Attend(coordinator->address());
  ASSERT_TRUE(Eventually([&] { return Of(v1::Directive::kWorld).size() == 1; }));
  const std::string address = coordinator->address();
  coordinator.reset();
  ASSERT_TRUE(Eventually([&] { return alone_ == 1; }));
  coordinator.emplace(disk_, &clock_, &timers_, address);
  // Time goes on until the next attempt succeeds.
  ASSERT_TRUE(Eventually([&] {
    if (welcomes_ < 2) timers_.Advance(absl::Milliseconds(5));
    return welcomes_ == 2;
  }));
  ASSERT_TRUE(Eventually([&] { return Of(v1::Directive::kWorld).size() == 2; }));
  const std::vector<v1::Directive> worlds = Of(v1::Directive::kWorld);
  EXPECT_EQ(worlds[1].generation(), worlds[0].generation());
  EXPECT_GT(worlds[1].fence(), worlds[0].fence());
  EXPECT_EQ(alone_, 1);
  coordinator.reset();
  EXPECT_TRUE(Eventually([&] { return alone_ == 2; })) << "each loss is told";
  EXPECT_TRUE(given_up().empty());
}

TEST_F(AttendanceTest, FailedAttemptsFollowAtGrowingDistances) {
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream&) {
    return grpc::Status(grpc::UNAVAILABLE, "not now");
  });
  Attend(coordinator.address());
  // Each attempt leaves the timer of its time limit, and one for the next attempt.
  size_t attempts = 1;
  for (const int wait : {25, 50, 100, 200, 400, 800, 1000, 1000}) {
    ASSERT_TRUE(Eventually([&] { return timers_.pending() == attempts + 1; }));
    EXPECT_EQ(coordinator.hellos(), static_cast<int>(attempts));
    timers_.Advance(absl::Milliseconds(wait - 1));
    absl::SleepFor(absl::Milliseconds(5));
    EXPECT_EQ(coordinator.hellos(), static_cast<int>(attempts));
    EXPECT_EQ(timers_.pending(), attempts + 1);
    timers_.Advance(absl::Milliseconds(1));
    ++attempts;
  }
  EXPECT_TRUE(Eventually([&] { return coordinator.hellos() == static_cast<int>(attempts); }));
  EXPECT_EQ(alone_, 1) << "only the first failed attempt is told";
}

TEST_F(AttendanceTest, ACoordinatorThatSaysNothingIsLeftAndTriedAgain) {
  ScriptedCoordinator coordinator(
      [](grpc::ServerContext&, AttendStream& stream) { return ReadAll(stream); });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return coordinator.hellos() == 1; }));
  timers_.Advance(absl::Seconds(10));
  ASSERT_TRUE(Eventually([&] { return timers_.pending() == 1; }));
  timers_.Advance(absl::Milliseconds(25));
  EXPECT_TRUE(Eventually([&] { return coordinator.hellos() == 2; }));
}

TEST_F(AttendanceTest, WithoutACoordinatorForTooLongItGivesUpOnce) {
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream&) {
    return grpc::Status(grpc::UNAVAILABLE, "not now");
  });
  const absl::Duration began = clock_.MonotonicNow();
  Attend(coordinator.address(), /*give_up_after=*/absl::Seconds(1));
  ASSERT_TRUE(Eventually([&] {
    if (given_up().empty()) timers_.Advance(absl::Milliseconds(5));
    return !given_up().empty();
  }));
  EXPECT_GE(clock_.MonotonicNow() - began, absl::Seconds(1));
  const int hellos = coordinator.hellos();
  timers_.Advance(absl::Minutes(5));
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(coordinator.hellos(), hellos);
  const std::vector<absl::Status> all = given_up();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(all[0].message()),
              AllOf(HasSubstr(coordinator.address()), HasSubstr("not now")));
}

TEST_F(AttendanceTest, ARefusalOfWhatItSaidIsNotTriedAgain) {
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream&) {
    return grpc::Status(grpc::INVALID_ARGUMENT, "no role");
  });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return given_up().size() == 1; }));
  timers_.Advance(absl::Minutes(1));
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(coordinator.hellos(), 1);
}

TEST_F(AttendanceTest, LeavingTellsTheCoordinator) {
  LoopbackCoordinator coordinator(disk_, &clock_, &timers_);
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  attendance_->Leave("was told to stop");
  EXPECT_EQ(coordinator.Member("student-0").state(), v1::MemberStatus::GONE);
  EXPECT_EQ(alone_, 0);
  // Its name is free at once for another process.
  coordinator.Do([this](Coordinator& c) {
    EXPECT_TRUE(c.OnHello(99, PeerIdentity{}, Student(2), Now()).ok());
  });
}

TEST_F(AttendanceTest, NoEventRunsAfterLeaveHasReturned) {
  ScriptedCoordinator coordinator([](grpc::ServerContext& context, AttendStream& stream) {
    stream.Write(Welcome(1));
    std::thread reader([&] { ReadAll(stream).ok(); });
    for (uint64_t i = 0; i < 1'000'000 && !context.IsCancelled(); ++i) {
      if (!stream.Write(Order(1, i))) break;
    }
    reader.join();
    return grpc::Status::OK;
  });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return directives().size() > 10; }));
  attendance_->Leave("was told to stop");
  const int events = events_;
  timers_.Advance(absl::Minutes(1));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(events_, events);
}

TEST_F(AttendanceTest, LeaveWaitsForALossThatIsBeingTold) {
  absl::Notification entered, release;
  while_alone_ = [&] {
    entered.Notify();
    release.WaitForNotificationWithTimeout(kTestPatience);
  };
  ScriptedCoordinator coordinator([](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(1));
    return grpc::Status(grpc::UNAVAILABLE, "stops");
  });
  Attend(coordinator.address());
  ASSERT_TRUE(entered.WaitForNotificationWithTimeout(kTestPatience));
  std::atomic<bool> left = false;
  std::thread leaver([&] {
    attendance_->Leave("was told to stop");
    left = true;
  });
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_FALSE(left);
  release.Notify();
  leaver.join();
  timers_.Advance(absl::Minutes(1));
  EXPECT_EQ(coordinator.hellos(), 1);
}

TEST_F(AttendanceTest, LeaveDoesNotWaitForACoordinatorThatDoesNotEndTheStream) {
  absl::Notification over;
  ScriptedCoordinator coordinator([&over](grpc::ServerContext&, AttendStream& stream) {
    stream.Write(Welcome(1));
    over.WaitForNotificationWithTimeout(kTestPatience);
    return grpc::Status::OK;
  });
  Attend(coordinator.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  const absl::Time began = absl::Now();
  attendance_->Leave("was told to stop");
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
  over.Notify();
}

}  // namespace
}  // namespace distill
