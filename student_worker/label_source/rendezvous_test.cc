#include "student_worker/label_source/rendezvous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;

constexpr int64_t kEnough = 1 << 30;

std::vector<uint64_t> Keys(uint64_t first, size_t count) {
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(LabelKeyHash(first + i, 0));
  return keys;
}

std::vector<RendezvousTeacher> Teachers(int count, int64_t room = kEnough) {
  std::vector<RendezvousTeacher> teachers;
  for (int i = 0; i < count; ++i) {
    teachers.push_back({TeacherHash(absl::StrCat("teacher-", i)), 1, room});
  }
  return teachers;
}

std::vector<int64_t> Loads(const std::vector<int>& chosen, size_t teachers) {
  std::vector<int64_t> loads(teachers);
  for (const int teacher : chosen) {
    if (teacher >= 0) ++loads[static_cast<size_t>(teacher)];
  }
  return loads;
}

TEST(RendezvousTest, EveryTeacherGetsItsShare) {
  const std::vector<uint64_t> keys = Keys(0, 80'000);
  for (const int count : {2, 4, 8, 16}) {
    const auto chosen = DivideByRendezvous(keys, Teachers(count));
    const double due = 80'000.0 / count;
    // Five standard deviations of a binomial.
    for (const int64_t load : Loads(chosen, static_cast<size_t>(count))) {
      EXPECT_NEAR(static_cast<double>(load), due, 5 * std::sqrt(due));
    }
  }
}

TEST(RendezvousTest, WithoutOneOfThemOnlyItsKeysMoveAndToAllOthers) {
  const std::vector<uint64_t> keys = Keys(0, 8'000);
  const auto before = DivideByRendezvous(keys, Teachers(8));
  std::vector<RendezvousTeacher> left = Teachers(8);
  left.erase(left.begin() + 3);
  const auto after = DivideByRendezvous(keys, left);
  std::set<int> heirs;
  for (size_t i = 0; i < keys.size(); ++i) {
    const int now = after[i] < 3 ? after[i] : after[i] + 1;
    if (before[i] == 3) {
      heirs.insert(now);
    } else {
      ASSERT_EQ(now, before[i]) << i;
    }
  }
  EXPECT_EQ(heirs.size(), 7u);
}

TEST(RendezvousTest, SharesAreBySpeedAndAChangeOfSpeedMovesItsDifferenceOnly) {
  const std::vector<uint64_t> keys = Keys(0, 70'000);
  std::vector<RendezvousTeacher> teachers = Teachers(4);
  teachers[2].speed = 4;
  const auto before = DivideByRendezvous(keys, teachers);
  const std::vector<int64_t> loads = Loads(before, 4);
  EXPECT_NEAR(static_cast<double>(loads[2]), 40'000, 1000);
  EXPECT_NEAR(static_cast<double>(loads[0]), 10'000, 500);
  teachers[2].speed = 4.4;
  const auto after = DivideByRendezvous(keys, teachers);
  int64_t moved = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (after[i] == before[i]) continue;
    EXPECT_EQ(after[i], 2);
    ++moved;
  }
  EXPECT_EQ(moved, Loads(after, 4)[2] - loads[2]);
}

TEST(RendezvousTest, AViewOfAnExampleIsAnotherKey) {
  std::set<uint64_t> keys;
  for (uint64_t example = 0; example < 50; ++example) {
    for (uint64_t seed = 0; seed < 50; ++seed) keys.insert(LabelKeyHash(example, seed));
  }
  EXPECT_EQ(keys.size(), 2500u);
}

// Students see other steps, in another order, and know their teachers in another order.
TEST(RendezvousTest, StudentsAgreeWhateverTheOrderOfKeysAndTeachers) {
  const uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  std::vector<uint64_t> keys = Keys(0, 300);
  std::vector<RendezvousTeacher> teachers = Teachers(6);
  for (RendezvousTeacher& teacher : teachers)
    teacher.room = 30 + static_cast<int64_t>(random() % 40);
  std::map<uint64_t, uint64_t> home;
  for (int round = 0; round < 20; ++round) {
    const auto chosen = DivideByRendezvous(keys, teachers);
    for (size_t i = 0; i < keys.size(); ++i) {
      const uint64_t where = chosen[i] < 0 ? 0 : teachers[static_cast<size_t>(chosen[i])].hash;
      ASSERT_EQ(home.try_emplace(keys[i], where).first->second, where);
    }
    std::ranges::shuffle(keys, random);
    std::ranges::shuffle(teachers, random);
  }
}

TEST(RendezvousTest, NobodyGetsMoreThanItsRoomAndNothingIsLeftWhileThereIsSome) {
  const uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    const int count = 1 + static_cast<int>(random() % 8);
    const std::vector<uint64_t> keys = Keys(random(), random() % 200);
    std::vector<RendezvousTeacher> teachers = Teachers(count);
    int64_t room = 0;
    for (RendezvousTeacher& teacher : teachers) {
      teacher.room = static_cast<int64_t>(random() % 60);
      room += teacher.room;
    }
    const auto loads = Loads(DivideByRendezvous(keys, teachers), teachers.size());
    for (size_t i = 0; i < teachers.size(); ++i) EXPECT_LE(loads[i], teachers[i].room);
    EXPECT_EQ(std::accumulate(loads.begin(), loads.end(), int64_t{0}),
              std::min(room, static_cast<int64_t>(keys.size())));
  }
}

TEST(RendezvousTest, AKeyThatComesTwiceAndNoKeysAndNoTeachersAreFine) {
  const std::vector<uint64_t> twice = {7, 7, 7};
  const auto chosen = DivideByRendezvous(twice, Teachers(4));
  EXPECT_THAT(chosen, Each(chosen[0]));
  EXPECT_TRUE(DivideByRendezvous({}, Teachers(4)).empty());
  EXPECT_THAT(DivideByRendezvous(twice, {}), ElementsAre(-1, -1, -1));
}

class RoomTest : public ::testing::Test {
 protected:
  // Of those seconds an example; 0: unknown.
  void Make(const std::vector<double>& speeds) {
    loads_.assign(speeds.size(), TeacherLoad());
    for (size_t i = 0; i < speeds.size(); ++i) {
      if (speeds[i] == 0) continue;
      loads_[i].Asked(10, absl::ZeroDuration());
      loads_[i].Ended(TeacherLoad::End::kAnswered, 10, absl::ZeroDuration(),
                      absl::Seconds(10 * speeds[i]));
    }
    Candidates();
  }
  void Candidates() {
    candidates_.clear();
    for (const TeacherLoad& load : loads_) candidates_.push_back({&load});
    EstimateAll(candidates_);
  }
  std::vector<RendezvousTeacher> Set(int64_t examples) {
    std::vector<RendezvousTeacher> teachers(candidates_.size());
    SetSpeedsAndRoom(candidates_, examples, teachers);
    return teachers;
  }
  std::vector<int64_t> Room(int64_t examples) {
    std::vector<int64_t> room;
    for (const RendezvousTeacher& teacher : Set(examples)) room.push_back(teacher.room);
    return room;
  }
  std::vector<double> Speeds() {
    std::vector<double> speeds;
    for (const RendezvousTeacher& teacher : Set(1)) speeds.push_back(teacher.speed);
    return speeds;
  }

  static constexpr absl::Duration kNow = absl::Seconds(1);
  std::vector<TeacherLoad> loads_;
  std::vector<TeacherCandidate> candidates_;
};

TEST_F(RoomTest, SpeedsAreThoseOfTheTeachersAndRoomIsTwiceAShare) {
  Make({0.001, 0.004, 0.004, 0.004});
  EXPECT_THAT(Speeds(), ElementsAre(DoubleNear(4, 1e-9), 1, 1, 1));
  EXPECT_THAT(Room(70), ElementsAre(70, 20, 20, 20));
}

TEST_F(RoomTest, TeachersThatNobodyKnowsAndAlmostEqualOnesShareAlike) {
  for (const std::vector<double>& speeds :
       {std::vector<double>{0, 0, 0, 0}, {0.001, 0.0011, 0.00119, 0.001}}) {
    Make(speeds);
    EXPECT_THAT(Speeds(), Each(1));
    EXPECT_THAT(Room(64), Each(32));
  }
  Make({0.001, 0.001, 0.00121, 0.001});
  EXPECT_THAT(Speeds(), ElementsAre(Gt(1), Gt(1), 1, Gt(1)));
}

TEST_F(RoomTest, WhatIsOutstandingCounts) {
  Make({0.001, 0.001, 0.001});
  loads_[0].Asked(60, kNow);
  Candidates();
  // Twice a third of 120.
  EXPECT_THAT(Room(60), ElementsAre(20, 60, 60));
  loads_[0].Asked(60, kNow);
  Candidates();
  EXPECT_THAT(Room(30), ElementsAre(0, 30, 30));
}

TEST_F(RoomTest, OneThatIsHalfOpenOrNewHasOneAskOfAnEqualShare) {
  Make({0.001, 0.001, 0, 0.001});
  candidates_[3].half_open = true;
  EXPECT_THAT(Room(64), ElementsAre(64, 64, 16, 16));
  loads_[2].Asked(16, kNow);
  loads_[3].Asked(16, kNow);
  EXPECT_THAT(Room(64), ElementsAre(64, 64, 0, 0));
}

}  // namespace
}  // namespace distill
