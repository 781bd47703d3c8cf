// For tests: label sources against a fleet of teachers in virtual time.
#ifndef STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_FLEET_H_
#define STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_FLEET_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "student_worker/label_source/label_source.h"

namespace distill {

// Of a step.
inline constexpr int kExamples = 64;
inline constexpr absl::Duration kMs = absl::Milliseconds(1);
inline constexpr absl::Duration kSecond = absl::Seconds(1);

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
  // Keeps the labels it has computed, and gives one of them in so long. Zero: no cache.
  absl::Duration hit;
};

class Fleet {
 public:
  using KeysOf = std::function<std::vector<uint64_t>(int64_t step)>;

  // `keys_of` is what caches go by, whether sources do so too or not.
  Fleet(uint64_t seed, const LabelSourceOptions& options, int students = 1,
        KeysOf keys_of = nullptr)
      : random_(seed), keys_of_(std::move(keys_of)) {
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
  void Kill(const std::string& name);
  // SIGSTOP and SIGCONT.
  void Freeze(const std::string& name, bool frozen) {
    teachers_[name].frozen = frozen;
    if (!frozen) Work(name);
  }

  void RunUntil(absl::Duration end);
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
  // Examples that teachers with caches had, and had not.
  int64_t hits() const { return hits_; }
  int64_t misses() const { return misses_; }
  int64_t taken() const { return taken_; }
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
    std::vector<uint64_t> keys;
  };
  struct Teacher {
    Speed speed;
    bool alive = true;
    bool frozen = false;
    bool working = false;
    std::deque<Request> queue;
    std::set<uint64_t> cached;
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

  void Settle();

  void Take(Student& student);

  void Do(size_t i, const LabelAction& action);

  void Work(const std::string& name);

  // How many of its rows are there; afterwards all are.
  int64_t Cache(Teacher& teacher, const Request& request) {
    int64_t found = 0;
    for (const uint64_t key : request.keys) found += !teacher.cached.insert(key).second;
    hits_ += found;
    misses_ += request.examples - found;
    return found;
  }

  void Answer(const std::string& name, const Request& request);

  std::mt19937_64 random_;
  const KeysOf keys_of_;
  absl::Duration now_;
  absl::Duration step_time_;
  std::multimap<absl::Duration, std::function<void()>> events_;
  std::map<std::string, Teacher> teachers_;
  std::vector<TeacherEndpoint> listed_;
  std::vector<std::unique_ptr<Student>> students_;
  std::map<std::pair<size_t, uint64_t>, int64_t> steps_;
  int64_t taken_ = 0;
  int64_t hits_ = 0;
  int64_t misses_ = 0;
  std::vector<absl::Duration> waits_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_LABEL_SOURCE_FLEET_H_
