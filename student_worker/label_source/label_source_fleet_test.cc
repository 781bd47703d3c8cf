// Label sources against a fleet of teachers in virtual time: what students get out of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random/test_seed.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

constexpr int kExamples = 64;
constexpr absl::Duration kMs = absl::Milliseconds(1);
constexpr absl::Duration kSecond = absl::Seconds(1);

// A server that works on one request after the other.
struct Speed {
  double examples_per_second = 0;
  absl::Duration per_request;
  // One way.
  absl::Duration network = absl::Microseconds(200);
  // The service time is multiplied by a draw from [1 - noise, 1 + noise].
  double noise = 0;
  // So often a request takes ten times as long.
  double tail = 0;
};

class Fleet {
 public:
  Fleet(uint64_t seed, const LabelSourceOptions& options, int students = 1) : random_(seed) {
    for (int i = 0; i < students; ++i) {
      students_.push_back(std::make_unique<Student>());
      students_.back()->source =
          std::make_unique<LabelSource>(options, [this] { return Draw(); }, absl::ZeroDuration());
    }
  }

  // The coordinator tells of it now.
  void Join(const std::string& name, const Speed& speed) {
    teachers_[name].speed = speed;
    listed_.push_back({name, 1, "host:1"});
    TellEndpoints();
  }
  // The coordinator's list has another in its place.
  void Replace(const std::string& name, const std::string& by) {
    teachers_[by].speed = teachers_[name].speed;
    for (TeacherEndpoint& one : listed_) {
      if (one.name == name) one.name = by;
    }
    TellEndpoints();
  }
  // SIGKILL: its streams end, and no connection is taken.
  void Kill(const std::string& name) {
    teachers_[name].alive = false;
    teachers_[name].queue.clear();
    for (size_t i = 0; i < students_.size(); ++i) {
      In(100 * absl::Microseconds(1), [this, i, name] {
        students_[i]->source->StreamLost(name, absl::UnavailableError("reset"), now_);
      });
    }
  }
  // SIGSTOP and SIGCONT.
  void Freeze(const std::string& name, bool frozen) {
    teachers_[name].frozen = frozen;
    if (!frozen) Work(name);
  }

  void RunUntil(absl::Duration end) {
    Settle();
    while (!events_.empty() && events_.begin()->first <= end) {
      auto event = events_.extract(events_.begin());
      now_ = event.key();
      event.mapped()();
      Settle();
    }
    now_ = end;
  }
  void RunFor(absl::Duration time) { RunUntil(now_ + time); }

  // A student trains so long on each step.
  void set_step_time(absl::Duration time) { step_time_ = time; }

  // Steps a second of all students, during the next `time`.
  double Rate(absl::Duration time) {
    const int64_t before = taken_;
    RunFor(time);
    return static_cast<double>(taken_ - before) / absl::ToDoubleSeconds(time);
  }
  // Of the examples that teachers answer during the next `time`.
  double Share(const std::string& name, absl::Duration time) {
    std::map<std::string, int64_t> before;
    for (const auto& [each, teacher] : teachers_) before[each] = teacher.examples;
    RunFor(time);
    int64_t all = 0;
    for (const auto& [each, teacher] : teachers_) all += teacher.examples - before[each];
    return static_cast<double>(teachers_[name].examples - before[name]) / static_cast<double>(all);
  }
  LabelSource::Counters counters() const { return students_[0]->source->counters(); }
  // Between the steps of the first student, from the last call on; sorted.
  std::vector<absl::Duration> TakeWaits() {
    std::ranges::sort(waits_);
    return std::exchange(waits_, {});
  }

 private:
  struct Request {
    size_t student = 0;
    uint64_t id = 0;
    int64_t examples = 0;
  };
  struct Teacher {
    Speed speed;
    bool alive = true;
    bool frozen = false;
    bool working = false;
    std::deque<Request> queue;
    int64_t examples = 0;
  };
  struct Student {
    std::unique_ptr<LabelSource> source;
    int64_t next_step = 0;
    absl::Duration busy_until;
    absl::Duration taken_at;
    absl::Duration wake_at = absl::InfiniteDuration();
  };

  double Draw() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  void In(absl::Duration delay, std::function<void()> event) {
    events_.emplace(now_ + delay, std::move(event));
  }
  void TellEndpoints() {
    for (auto& student : students_) student->source->SetEndpoints(listed_, now_);
  }

  void Settle() {
    for (size_t i = 0; i < students_.size(); ++i) {
      Student& student = *students_[i];
      student.source->Advance(now_);
      while (student.source->Ready() && student.busy_until <= now_) Take(student);
      for (const LabelAction& action : student.source->TakeActions()) Do(i, action);
      const absl::Duration next = student.source->NextDeadline();
      if (next < absl::InfiniteDuration() && next != student.wake_at) {
        ASSERT_GT(next, now_) << "what is due was not done";
        student.wake_at = next;
        events_.emplace(next, [&student] { student.wake_at = absl::InfiniteDuration(); });
      }
    }
  }

  void Take(Student& student) {
    int64_t examples = 0;
    for (const LabelPart& part : student.source->Take(now_)) {
      ASSERT_EQ(part.begin, examples);
      examples = part.end;
      ASSERT_EQ(*static_cast<const int64_t*>(part.payload.get()), student.next_step);
    }
    ASSERT_EQ(examples, kExamples);
    ++student.next_step;
    ++taken_;
    if (&student == students_[0].get()) waits_.push_back(now_ - student.taken_at);
    student.taken_at = now_;
    student.busy_until = now_ + step_time_;
    if (step_time_ > absl::ZeroDuration()) In(step_time_, [] {});
  }

  void Do(size_t i, const LabelAction& action) {
    if (const auto* open = std::get_if<OpenStream>(&action)) {
      const std::string name = open->endpoint.name;
      In(2 * teachers_[name].speed.network, [this, i, name] {
        if (teachers_[name].alive) {
          students_[i]->source->StreamOpened(name, "class", now_);
        } else {
          students_[i]->source->StreamLost(name, absl::UnavailableError("refused"), now_);
        }
      });
    } else if (const auto* ask = std::get_if<AskLabels>(&action)) {
      steps_[{i, ask->request_id}] = ask->step;
      const Request request = {i, ask->request_id, ask->end - ask->begin};
      In(teachers_[ask->endpoint].speed.network, [this, name = ask->endpoint, request] {
        Teacher& teacher = teachers_[name];
        if (!teacher.alive) return;
        teacher.queue.push_back(request);
        Work(name);
      });
    } else if (const auto* cancel = std::get_if<CancelAsk>(&action)) {
      const uint64_t id = cancel->request_id;
      In(teachers_[cancel->endpoint].speed.network, [this, i, name = cancel->endpoint, id] {
        std::erase_if(teachers_[name].queue, [&](const Request& request) {
          return request.student == i && request.id == id;
        });
      });
    } else if (const auto* close = std::get_if<CloseStream>(&action)) {
      std::erase_if(teachers_[close->endpoint].queue,
                    [&](const Request& request) { return request.student == i; });
    } else {
      ADD_FAILURE() << "gave up: " << std::get<GiveUp>(action).status;
    }
  }

  void Work(const std::string& name) {
    Teacher& teacher = teachers_[name];
    if (!teacher.alive || teacher.frozen || teacher.working || teacher.queue.empty()) return;
    teacher.working = true;
    const Request request = teacher.queue.front();
    teacher.queue.pop_front();
    const Speed& speed = teacher.speed;
    absl::Duration time = speed.per_request + absl::Seconds(static_cast<double>(request.examples) /
                                                            speed.examples_per_second);
    time *= 1 + speed.noise * (2 * Draw() - 1);
    if (speed.tail > 0 && Draw() < speed.tail) time *= 10;
    In(time, [this, name, request] { Answer(name, request); });
  }

  void Answer(const std::string& name, const Request& request) {
    Teacher& teacher = teachers_[name];
    if (!teacher.alive) return;
    if (teacher.frozen) {  // the answer waits as well
      In(kMs, [this, name, request] { Answer(name, request); });
      return;
    }
    teacher.working = false;
    teacher.examples += request.examples;
    In(teacher.speed.network, [this, request] {
      students_[request.student]->source->Answered(
          request.id, std::make_shared<const int64_t>(steps_.at({request.student, request.id})),
          now_);
    });
    Work(name);
  }

  std::mt19937_64 random_;
  absl::Duration now_;
  absl::Duration step_time_;
  std::multimap<absl::Duration, std::function<void()>> events_;
  std::map<std::string, Teacher> teachers_;
  std::vector<TeacherEndpoint> listed_;
  std::vector<std::unique_ptr<Student>> students_;
  std::map<std::pair<size_t, uint64_t>, int64_t> steps_;
  int64_t taken_ = 0;
  std::vector<absl::Duration> waits_;
};

LabelSourceOptions Options(int window = 4) {
  LabelSourceOptions options;
  options.end_step = 1'000'000;
  options.window_steps = window;
  options.examples_per_step = kExamples;
  return options;
}

// So many steps a second.
Speed Steps(double per_second, double noise = 0) {
  Speed speed;
  speed.examples_per_second = per_second * kExamples;
  speed.noise = noise;
  return speed;
}

void JoinAll(Fleet& fleet, const std::vector<Speed>& speeds) {
  for (size_t i = 0; i < speeds.size(); ++i) fleet.Join(absl::StrCat("t", i), speeds[i]);
  fleet.RunFor(2 * kSecond);
}

double RateOf(uint64_t seed, const LabelSourceOptions& options, const std::vector<Speed>& speeds,
              int students) {
  Fleet fleet(seed, options, students);
  JoinAll(fleet, speeds);
  return fleet.Rate(10 * kSecond);
}

// What they give together over the sum of what each gives alone.
double OverSum(uint64_t seed, const LabelSourceOptions& options, const std::vector<Speed>& speeds,
               int students = 1) {
  double sum = 0;
  for (const Speed& speed : speeds) sum += RateOf(seed, options, {speed}, students);
  const double ratio = RateOf(seed, options, speeds, students) / sum;
  std::cout << speeds.size() << " teachers, " << students << " students, window "
            << options.window_steps << ": " << ratio << " of the sum\n";
  return ratio;
}

std::vector<Speed> FourToOne(double noise = 0) {
  return {Steps(50, noise), Steps(12.5, noise), Steps(12.5, noise), Steps(12.5, noise)};
}

TEST(LabelSourceFleet, UnequalTeachersTogetherGiveWhatEachGivesAlone) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    EXPECT_GE(OverSum(seed, Options(), FourToOne(), students), 0.95);
    EXPECT_GE(OverSum(seed, Options(), FourToOne(/*noise=*/0.3), students), 0.95);
  }
  std::vector<Speed> far = FourToOne();
  for (Speed& speed : far) speed.network = 5 * kMs;
  EXPECT_GE(OverSum(seed, Options(), far), 0.95);
}

// An exact step is never cut: a longer window makes up for it.
TEST(LabelSourceFleet, ExactStepsNeedAWindowOfEight) {
  const uint64_t seed = TestSeed();
  LabelSourceOptions options = Options(/*window=*/8);
  options.exact = true;
  EXPECT_GE(OverSum(seed, options, FourToOne()), 0.95);
  options.window_steps = 4;
  EXPECT_LE(OverSum(seed, options, FourToOne()), 0.8);
}

TEST(LabelSourceFleet, SixteenTeachersGiveSixteenTimesAsMuch) {
  const uint64_t seed = TestSeed();
  for (const int teachers : {2, 4, 8, 16}) {
    EXPECT_GE(OverSum(seed, Options(), std::vector<Speed>(teachers, Steps(12.5))), 0.95);
  }
}

TEST(LabelSourceFleet, ANewTeacherServesItsShareWithinASecond) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    Fleet fleet(seed, Options(), students);
    JoinAll(fleet, std::vector<Speed>(3, Steps(12.5, 0.2)));
    fleet.Join("new", Steps(12.5, 0.2));
    fleet.RunFor(kSecond);
    const double share = fleet.Share("new", 4 * kSecond);
    EXPECT_NEAR(share, 0.25, 0.025) << students << " students";
    std::cout << "share of the newcomer " << share << "\n";
  }
}

TEST(LabelSourceFleet, ASecondAfterAKillTheOthersGiveAllTheyCan) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    Fleet fleet(seed, Options(), students);
    JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.2)));
    EXPECT_NEAR(fleet.Rate(4 * kSecond), 50, 2.5);
    fleet.Kill("t1");
    const double first = fleet.Rate(kSecond);
    const double later = fleet.Rate(4 * kSecond);
    EXPECT_GE(later, 0.95 * 37.5);
    std::cout << "steps in the second after the kill " << first << ", then " << later
              << " a second\n";
  }
}

// Nothing tells of a process that is stopped: hedging saves its asks and the breaker rests it.
TEST(LabelSourceFleet, ATeacherThatHangsStopsNobodyAndServesAgainWhenItGoesOn) {
  Fleet fleet(TestSeed(), Options());
  JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.2)));
  fleet.RunFor(4 * kSecond);
  fleet.Freeze("t2", true);
  fleet.RunFor(kSecond);
  fleet.TakeWaits();
  EXPECT_GE(fleet.Rate(8 * kSecond), 0.95 * 37.5);
  EXPECT_LE(fleet.TakeWaits().back(), kSecond / 2);
  fleet.Freeze("t2", false);
  fleet.RunFor(6 * kSecond);  // its rest may just have begun
  EXPECT_NEAR(fleet.Share("t2", 4 * kSecond), 0.25, 0.025);
}

TEST(LabelSourceFleet, AFleetThatIsReplacedOneByOneKeepsItsRate) {
  Fleet fleet(TestSeed(), Options());
  JoinAll(fleet, std::vector<Speed>(3, Steps(12.5, 0.2)));
  for (int i = 0; i < 3; ++i) {
    fleet.Replace(absl::StrCat("t", i), absl::StrCat("n", i));
    EXPECT_GE(fleet.Rate(3 * kSecond), 0.9 * 37.5);
    EXPECT_EQ(fleet.Share(absl::StrCat("t", i), kSecond), 0);
  }
}

TEST(LabelSourceFleet, HedgingCutsTheTailWithinItsBudget) {
  const uint64_t seed = TestSeed();
  std::map<double, absl::Duration> p99;
  for (const double budget : {0., 0.05}) {
    LabelSourceOptions options = Options();
    options.hedging.budget = budget;
    Fleet fleet(seed, options);
    fleet.set_step_time(30 * kMs);
    Speed speed = Steps(12.5, 0.2);
    speed.tail = 0.01;
    JoinAll(fleet, {speed, speed, speed, speed});
    fleet.RunFor(60 * kSecond);
    const std::vector<absl::Duration> waits = fleet.TakeWaits();
    p99[budget] = waits.at(waits.size() * 99 / 100);
    const LabelSource::Counters counters = fleet.counters();
    EXPECT_LE(static_cast<double>(counters.hedges),
              budget * static_cast<double>(counters.asks - counters.hedges));
    std::cout << counters.hedges << " hedges of " << counters.asks << " asks, p99 of a step "
              << p99[budget] << "\n";
  }
  EXPECT_GT(p99[0.], 1.5 * p99[0.05]);
}

}  // namespace
}  // namespace distill
