// What a server gives when it is asked for far more than it can: virtual time, an open
// loop of students, a device whose times scatter.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <map>
#include <random>

#include "common/random/test_seed.h"
#include "teacher_server/batching/batcher.h"

namespace distill {
namespace {

constexpr int kStudents = 8;
constexpr int64_t kExamples = 16;
constexpr int kSeconds = 20;

struct Load {
  // Of what the device can do with full batches.
  double offered = 1;
  // Their deadlines; with full batches the whole queue takes 435 ms.
  absl::Duration remaining = absl::Milliseconds(200);
  // One student asks for nine tenths of it all.
  bool greedy = false;
};

struct Outcome {
  double offered = 0;
  // Examples a second that were answered in time.
  double goodput = 0;
  // Of the examples computed, those whose answer came too late.
  double in_vain = 0;
  // Per batch.
  double fill = 0;
  std::map<uint64_t, int64_t> asked;
  std::map<uint64_t, int64_t> by_student;
  std::map<std::string, int64_t> shed;
};

class Overload {
 public:
  Overload(const Load& load, uint64_t seed) : load_(load), random_(seed) {}

  Outcome Run(absl::Duration length) {
    const absl::Duration end = now_ + length;
    const double capacity = 256 / absl::ToDoubleSeconds(Mean(256));
    const double requests_per_second = load_.offered * capacity / kExamples;
    std::exponential_distribution<double> gap(requests_per_second);
    absl::Duration arrival = now_;
    while (now_ < end) {
      const absl::Duration done = flights_.empty() ? absl::InfiniteDuration() : flights_[0].end;
      now_ = std::max(now_, std::min({arrival, done, batcher_.NextWakeup()}));
      if (now_ == arrival) {
        Arrive();
        arrival += absl::Seconds(gap(random_));
      } else if (now_ == done) {
        Complete();
      }
      while (const auto batch = batcher_.Next(now_)) Start(*batch);
      shed_[ShedReasonName(ShedReason::kExpired)] +=
          static_cast<int64_t>(batcher_.TakeExpired(now_).size());
    }
    const double seconds = absl::ToDoubleSeconds(length);
    Outcome outcome;
    outcome.offered = requests_per_second * kExamples;
    outcome.goodput = static_cast<double>(in_time_) / seconds;
    outcome.in_vain = static_cast<double>(late_) / static_cast<double>(in_time_ + late_);
    outcome.fill = fill_ / static_cast<double>(batches_);
    outcome.asked = asked_;
    outcome.by_student = by_student_;
    outcome.shed = shed_;
    return outcome;
  }

 private:
  struct Flight {
    Batch batch;
    absl::Duration begin;
    absl::Duration end;
  };

  // 1.6 ms a batch and 0.1 ms an example.
  static absl::Duration Mean(int64_t examples) { return absl::Microseconds(1600 + 100 * examples); }

  void Arrive() {
    BatchRequest request;
    request.id = next_id_++;
    request.run = 1;
    request.stream = load_.greedy && random_() % 10 != 0 ? 0 : random_() % kStudents;
    request.examples = kExamples;
    request.deadline = now_ + load_.remaining;
    asked_[request.stream] += request.examples;
    ShedReason shed = ShedReason::kExpired;
    if (!batcher_.Add(request, now_, &shed).ok()) ++shed_[ShedReasonName(shed)];
  }

  void Start(const Batch& batch) {
    std::lognormal_distribution<double> scatter(0, 0.1);
    const absl::Duration begin = flights_.empty() ? now_ : std::max(now_, flights_.back().end);
    flights_.push_back({batch, begin, begin + scatter(random_) * Mean(batch.examples)});
    fill_ += batch.fill;
    ++batches_;
  }

  void Complete() {
    const Flight flight = flights_.front();
    flights_.pop_front();
    batcher_.Complete(flight.batch.id, flight.end - flight.begin, now_);
    for (const BatchRequest& request : flight.batch.requests) {
      (now_ <= request.deadline ? in_time_ : late_) += request.examples;
      if (now_ <= request.deadline) by_student_[request.stream] += request.examples;
    }
  }

  const Load load_;
  std::mt19937_64 random_;
  Batcher batcher_{BatcherOptions()};
  absl::Duration now_ = absl::Seconds(1);
  uint64_t next_id_ = 1;
  std::deque<Flight> flights_;
  int64_t in_time_ = 0;
  int64_t late_ = 0;
  int64_t batches_ = 0;
  double fill_ = 0;
  std::map<uint64_t, int64_t> asked_;
  std::map<uint64_t, int64_t> by_student_;
  std::map<std::string, int64_t> shed_;
};

Outcome Measure(const Load& load, uint64_t seed) {
  const Outcome outcome = Overload(load, seed).Run(absl::Seconds(kSeconds));
  std::cout << (load.greedy ? "greedy, " : "") << load.remaining << ", offered " << load.offered
            << "x = " << outcome.offered << "/s: in time " << outcome.goodput << "/s, in vain "
            << 100 * outcome.in_vain << " %, fill " << outcome.fill;
  for (const auto& [reason, count] : outcome.shed) std::cout << ", " << reason << " " << count;
  std::cout << "\n";
  return outcome;
}

TEST(Overload, AtTenTimesTheLoadGoodputStaysNearItsPeak) {
  const uint64_t seed = TestSeed();
  for (const bool greedy : {false, true}) {
    for (const int remaining_ms : {60, 200, 2000}) {
      double peak = 0;
      double last = 0;
      for (const double offered : {0.5, 0.9, 1.0, 1.5, 2.0, 10.0}) {
        last = Measure({offered, absl::Milliseconds(remaining_ms), greedy}, seed).goodput;
        peak = std::max(peak, last);
      }
      std::cout << "  goodput at 10x over its peak: " << last / peak << "\n";
      EXPECT_GE(last / peak, 0.95) << remaining_ms << " ms, greedy " << greedy;
    }
  }
}

TEST(Overload, AGreedyStudentTakesNothingOfTheOthers) {
  const Outcome outcome = Measure({2.0, absl::Milliseconds(200), /*greedy=*/true}, TestSeed());
  // The other seven ask for 7/80 of twice the capacity, far below their shares.
  for (uint64_t student = 1; student < kStudents; ++student) {
    const auto asked = static_cast<double>(outcome.asked.at(student));
    const auto got = static_cast<double>(outcome.by_student.at(student));
    EXPECT_GT(got / asked, 0.9) << student;
  }
}

}  // namespace
}  // namespace distill
