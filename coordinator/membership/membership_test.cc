#include "coordinator/membership/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/rpc/peer_identity.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using v1::MemberStatus;

v1::Hello Student(const std::string& name, uint64_t incarnation = 1) {
  v1::Hello hello;
  hello.set_role(v1::STUDENT_WORKER);
  hello.set_worker(name);
  hello.set_incarnation(incarnation);
  return hello;
}

v1::Hello Teacher(const std::string& name, uint64_t incarnation = 1) {
  v1::Hello hello = Student(name, incarnation);
  hello.set_role(v1::TEACHER_SERVER);
  hello.set_address(name + ":1");
  return hello;
}

v1::TeacherState Ready(const std::string& model, const std::string& fingerprint) {
  v1::TeacherState state;
  state.set_state(v1::TeacherState::READY);
  state.set_model(model);
  state.set_fingerprint(fingerprint);
  return state;
}

const PeerIdentity kPeer{"ipv4:10.0.0.7:40000", ""};

absl::Time At(double seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }

class MembershipTest : public ::testing::Test {
 protected:
  Membership::State StateOf(const std::string& name) { return membership_.Find(name)->state; }

  Membership membership_{MembershipOptions()};
};

TEST(MembershipOptions, RefuseTimesInTheWrongOrder) {
  MembershipOptions options;
  EXPECT_TRUE(options.Validate().ok());
  options.gone_after = options.suspect_after;
  EXPECT_FALSE(options.Validate().ok());
}

TEST_F(MembershipTest, SilenceMakesAMemberSuspectAfterThreeAndGoneAfterFiveSeconds) {
  ASSERT_TRUE(membership_.Hello(Student("a"), kPeer, At(0)).ok());
  EXPECT_EQ(membership_.NextDeadline(), At(3));
  EXPECT_TRUE(membership_.Advance(At(2.999)).empty());
  const auto changes = membership_.Advance(At(3));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].worker, "a");
  EXPECT_EQ(changes[0].to, MemberStatus::SUSPECT);
  EXPECT_EQ(membership_.NextDeadline(), At(5));
  EXPECT_TRUE(membership_.Advance(At(4.999)).empty());
  EXPECT_EQ(membership_.Advance(At(5))[0].to, MemberStatus::GONE);
  EXPECT_EQ(membership_.NextDeadline(), std::nullopt);
  EXPECT_FALSE(membership_.IsPresent("a", 1));
}

TEST_F(MembershipTest, AHeartbeatRevivesASuspectButNotOneWhoIsGone) {
  ASSERT_TRUE(membership_.Hello(Student("a"), kPeer, At(0)).ok());
  membership_.Advance(At(4));
  EXPECT_TRUE(membership_.Heartbeat("a", 1, At(4)).ok());
  EXPECT_EQ(StateOf("a"), MemberStatus::ALIVE);
  EXPECT_EQ(membership_.NextDeadline(), At(7));
  membership_.Advance(At(9));
  EXPECT_EQ(membership_.Heartbeat("a", 1, At(9)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StateOf("a"), MemberStatus::GONE);
  EXPECT_TRUE(membership_.Hello(Student("a"), kPeer, At(10)).ok());
  EXPECT_EQ(StateOf("a"), MemberStatus::ALIVE);
}

TEST_F(MembershipTest, AnotherLivingIncarnationIsRefusedUntilTheFirstIsGone) {
  ASSERT_TRUE(membership_.Hello(Student("a", 1), kPeer, At(0)).ok());
  EXPECT_TRUE(membership_.Hello(Student("a", 1), kPeer, At(1)).ok());
  membership_.StreamLost("a", 1);
  const absl::Status refused = membership_.Hello(Student("a", 2), kPeer, At(2));
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("worker \"a\""));
  // Where the other one is to be found.
  EXPECT_THAT(std::string(refused.message()), HasSubstr("from ipv4:10.0.0.7:40000"));
  EXPECT_TRUE(membership_.IsPresent("a", 1));
  membership_.Advance(At(6));
  EXPECT_TRUE(membership_.Hello(Student("a", 2), kPeer, At(6)).ok());
  EXPECT_TRUE(membership_.IsPresent("a", 2));
  EXPECT_FALSE(membership_.IsPresent("a", 1));
  EXPECT_EQ(membership_.Heartbeat("a", 1, At(6)).code(), absl::StatusCode::kNotFound);
}

TEST_F(MembershipTest, ALostStreamMakesSuspectAtOnceAndLeavingMakesGoneAtOnce) {
  ASSERT_TRUE(membership_.Hello(Student("a"), kPeer, At(0)).ok());
  membership_.StreamLost("a", 2);
  EXPECT_EQ(StateOf("a"), MemberStatus::ALIVE);
  membership_.StreamLost("a", 1);
  EXPECT_EQ(StateOf("a"), MemberStatus::SUSPECT);
  membership_.Leaving("a", 1, "SIGTERM");
  EXPECT_EQ(StateOf("a"), MemberStatus::GONE);
  EXPECT_TRUE(membership_.Hello(Student("a", 2), kPeer, At(0)).ok());
}

TEST_F(MembershipTest, AnExpectedMemberIsPresentButTakesNoPartUntilItSaysHello) {
  membership_.Expect(v1::STUDENT_WORKER, "a", 1, At(10));
  EXPECT_TRUE(membership_.IsPresent("a", 1));
  EXPECT_TRUE(membership_.ProposeWorld(1, {}).empty());
  EXPECT_EQ(membership_.NextDeadline(), At(15));
  EXPECT_TRUE(membership_.Hello(Student("a", 1), kPeer, At(11)).ok());
  EXPECT_EQ(StateOf("a"), MemberStatus::ALIVE);
}

TEST_F(MembershipTest, AHelloWithoutNameOrIncarnationOrBeyondTheBoundIsRefused) {
  EXPECT_EQ(membership_.Hello(Student("", 1), kPeer, At(0)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(membership_.Hello(Student("a", 0), kPeer, At(0)).code(),
            absl::StatusCode::kInvalidArgument);
  MembershipOptions options;
  options.max_members = 1;
  Membership small(options);
  EXPECT_TRUE(small.Hello(Student("a"), kPeer, At(0)).ok());
  EXPECT_EQ(small.Hello(Student("b"), kPeer, At(0)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(small.Hello(Student("a"), kPeer, At(0)).ok());
}

TEST_F(MembershipTest, AWorldTakesTheIdleLivingStudentsByName) {
  for (const char* name : {"d", "b", "a", "c"}) {
    ASSERT_TRUE(membership_.Hello(Student(name), kPeer, At(0)).ok());
  }
  ASSERT_TRUE(membership_.Hello(Teacher("aa"), kPeer, At(0)).ok());
  membership_.StreamLost("b", 1);
  const auto world = membership_.ProposeWorld(2, {"a"});
  ASSERT_EQ(world.size(), 2u);
  EXPECT_EQ(world[0]->hello.worker(), "c");
  EXPECT_EQ(world[1]->hello.worker(), "d");
  EXPECT_TRUE(membership_.ProposeWorld(3, {"a"}).empty());
}

TEST_F(MembershipTest, ReadyTeachersAreThoseOfTheModelAndFingerprintThatAreNotGone) {
  ASSERT_TRUE(membership_.Hello(Teacher("t1"), kPeer, At(0)).ok());
  ASSERT_TRUE(membership_.Hello(Teacher("t0"), kPeer, At(0)).ok());
  ASSERT_TRUE(membership_.SetTeacherState("t1", 1, Ready("m", "f"), At(1)).ok());
  EXPECT_EQ(membership_.ReadyTeachers("m", "f").endpoints_size(), 1);
  ASSERT_TRUE(membership_.SetTeacherState("t0", 1, Ready("m", "f"), At(1)).ok());
  const v1::TeacherEndpoints both = membership_.ReadyTeachers("m", "f");
  ASSERT_EQ(both.endpoints_size(), 2);
  EXPECT_EQ(both.endpoints(0).address(), "t0:1");
  EXPECT_EQ(membership_.ReadyTeachers("m", "g").endpoints_size(), 0);
  membership_.Leaving("t0", 1, "SIGTERM");
  EXPECT_EQ(membership_.ReadyTeachers("m", "f").endpoints_size(), 1);
  // A restart under the same name has loaded nothing.
  ASSERT_TRUE(membership_.Hello(Teacher("t0", 2), kPeer, At(2)).ok());
  EXPECT_EQ(membership_.ReadyTeachers("m", "f").endpoints_size(), 1);
}

TEST_F(MembershipTest, ATeacherThatFailsOrServesAnotherFingerprintIsReadyNoLonger) {
  ASSERT_TRUE(membership_.Hello(Teacher("t0"), kPeer, At(0)).ok());
  ASSERT_TRUE(membership_.Hello(Teacher("t1"), kPeer, At(0)).ok());
  ASSERT_TRUE(membership_.SetTeacherState("t1", 1, Ready("m", "f"), At(1)).ok());
  v1::TeacherState failed = Ready("m", "f");
  failed.set_state(v1::TeacherState::FAILED);
  for (const v1::TeacherState& later : {failed, Ready("m", "changed")}) {
    ASSERT_TRUE(membership_.SetTeacherState("t0", 1, Ready("m", "f"), At(1)).ok());
    EXPECT_EQ(membership_.ReadyTeachers("m", "f").endpoints_size(), 2);
    ASSERT_TRUE(membership_.SetTeacherState("t0", 1, later, At(1)).ok());
    ASSERT_EQ(membership_.ReadyTeachers("m", "f").endpoints_size(), 1);
    EXPECT_EQ(membership_.ReadyTeachers("m", "f").endpoints(0).address(), "t1:1");
  }
}

TEST_F(MembershipTest, TheStatusHasATeachersLastLoadWithoutNumbersThatCannotBe) {
  ASSERT_TRUE(membership_.Hello(Teacher("t"), kPeer, At(0)).ok());
  EXPECT_FALSE(membership_.Status()[0].has_teacher_load());
  v1::TeacherLoad load;
  load.set_rows_per_second(std::numeric_limits<double>::quiet_NaN());
  load.set_busy_ratio(7);
  load.set_queue_rows(-3);
  load.set_queue_requests(2);
  membership_.SetTeacherLoad("t", 2, load);  // another incarnation
  EXPECT_FALSE(membership_.Status()[0].has_teacher_load());
  membership_.SetTeacherLoad("t", 1, load);
  const v1::TeacherLoad kept = membership_.Status()[0].teacher_load();
  EXPECT_EQ(kept.rows_per_second(), 0);
  EXPECT_EQ(kept.busy_ratio(), 1);
  EXPECT_EQ(kept.queue_rows(), 0);
  EXPECT_EQ(kept.queue_requests(), 2);
  EXPECT_FALSE(kept.has_cache_hit_ratio());
}

TEST_F(MembershipTest, AStudentCannotReportAsATeacher) {
  ASSERT_TRUE(membership_.Hello(Student("a"), kPeer, At(0)).ok());
  EXPECT_EQ(membership_.SetTeacherState("a", 1, Ready("m", "f"), At(0)).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
