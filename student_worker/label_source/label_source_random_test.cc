#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/random/test_seed.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/label_source/rendezvous.h"

namespace distill {
namespace {

constexpr absl::Duration kNow = absl::Seconds(1);

// Random faults against a fleet that answers whatever it is asked while it lives.
class RandomFleet {
 public:
  RandomFleet(uint64_t seed, bool cached) : random_(seed) {
    if (cached) options_.keys_of = [](int64_t step) { return Keys(step); };
    options_.end_step = kSteps;
    options_.examples_per_step = kExamples;
    options_.max_attempts = 1000;
    options_.max_asks_per_teacher = 3;
    source_ = std::make_unique<LabelSource>(options_, [&] { return Below(1000) / 1000.0; }, kNow);
    source_->SetEndpoints(
        {{"t0", 1, "host:1"}, {"t1", 1, "host:1"}, {"t2", 1, "host:1"}, {"t3", 1, "host:1"}}, now_);
  }

  void Run() {
    for (; taken_ < kSteps; ++events_) {
      ASSERT_LT(events_, 100 * kSteps) << "no progress";
      for (const LabelAction& action : source_->TakeActions()) Do(action);
      if (::testing::Test::HasFatalFailure()) return;
      if (source_->Ready() && Below(2) == 0) {
        Take();
      } else {
        Happen(Below(40));
      }
    }
    EXPECT_EQ(source_->NextDeadline(), absl::InfiniteDuration());
    EXPECT_GT(events_, 100'000);
    EXPECT_GT(hedges_, 100);
    EXPECT_EQ(source_->counters().hedges, hedges_);
    EXPECT_EQ(source_->counters().asks, asks_ + hedges_);
    std::cout << events_ << " events, " << asks_ << " asks, " << hedges_ << " hedges, "
              << source_->counters().breaker_openings << " openings\n";
  }

 private:
  static constexpr int64_t kSteps = 40'000;
  static constexpr int64_t kExamples = 6;

  static std::vector<uint64_t> Keys(int64_t step) {
    std::vector<uint64_t> keys;
    for (uint64_t i = 0; i < kExamples; ++i) {
      keys.push_back(LabelKeyHash((static_cast<uint64_t>(step) * kExamples + i) % 100, 0));
    }
    return keys;
  }
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void Do(const LabelAction& action) {
    if (const auto* ask = std::get_if<AskLabels>(&action)) {
      Check(*ask);
      asked_[ask->request_id] = *ask;
    } else if (const auto* stream = std::get_if<OpenStream>(&action)) {
      ASSERT_TRUE(opening_.insert(stream->endpoint.name).second);
      ASSERT_GE(now_, rests_until_[stream->endpoint.name]);
    } else {
      ASSERT_TRUE(std::holds_alternative<CancelAsk>(action));
      asked_.erase(std::get<CancelAsk>(action).request_id);
    }
  }

  void Check(const AskLabels& ask) {
    ASSERT_TRUE(open_.contains(ask.endpoint)) << "asked of a closed stream";
    ASSERT_GE(now_, rests_until_[ask.endpoint]) << "asked of one that rests";
    ASSERT_GE(ask.step, taken_);
    ASSERT_LT(ask.step, taken_ + options_.window_steps);
    ASSERT_FALSE(ask.positions.empty());
    ASSERT_TRUE(std::ranges::is_sorted(ask.positions));
    ASSERT_GE(ask.positions.front(), 0);
    ASSERT_LT(ask.positions.back(), kExamples);
    int there = 0, same = 0;
    for (const auto& [id, other] : asked_) {
      there += other.endpoint == ask.endpoint;
      std::vector<int32_t> both;
      std::ranges::set_intersection(other.positions, ask.positions, std::back_inserter(both));
      if (other.step != ask.step || both.empty()) continue;
      ++same;
      ASSERT_EQ(other.positions, ask.positions);
      ASSERT_NE(other.endpoint, ask.endpoint) << "hedged where it is late";
    }
    ASSERT_LT(there, options_.max_asks_per_teacher);
    ASSERT_TRUE(there == 0 || !probed_.contains(ask.endpoint)) << "a second probe";
    ASSERT_LE(same, 1) << "asked three times at once";
    ++(same == 1 ? hedges_ : asks_);
    ASSERT_LE(static_cast<double>(hedges_), 0.05 * static_cast<double>(asks_) + 1e-9);
  }

  void Take() {
    std::set<int32_t> positions;
    for (const LabelPart& part : source_->Take(now_)) {
      for (const int32_t position : part.positions) {
        ASSERT_TRUE(positions.insert(position).second) << "twice";
      }
      ASSERT_EQ(*static_cast<const int64_t*>(part.payload.get()), taken_);
    }
    ASSERT_EQ(positions.size(), size_t{kExamples}) << "a gap";
    ++taken_;
  }

  void Happen(uint64_t kind) {
    if (kind < 24 && !asked_.empty()) {
      auto it = asked_.begin();
      std::advance(it, Below(asked_.size()));
      const AskLabels ask = it->second;
      now_ += absl::Microseconds(Below(300));
      asked_.erase(it);
      probed_.erase(ask.endpoint);
      source_->Answered(ask.request_id, std::make_shared<const int64_t>(ask.step), now_);
      if (Below(10) == 0)
        source_->Answered(ask.request_id, std::make_shared<const int64_t>(-1), now_);
    } else if (kind < 26 && !asked_.empty()) {
      const AskLabels ask = asked_.begin()->second;
      asked_.erase(asked_.begin());
      const absl::Duration rest = absl::Milliseconds(Below(2) * 5);
      if (rest > absl::ZeroDuration()) rests_until_[ask.endpoint] = now_ + rest;
      source_->AskFailed(ask.request_id, absl::ResourceExhaustedError("full"), rest, now_);
    } else if (kind < 27 && !open_.empty()) {
      Lose(*std::next(open_.begin(), static_cast<std::ptrdiff_t>(Below(open_.size()))));
    } else if (kind < 32 && !opening_.empty()) {
      const std::string name = *opening_.begin();
      opening_.erase(name);
      open_.insert(name);
      source_->StreamOpened(name, "class", now_);
    } else if (source_->NextDeadline() < absl::InfiniteDuration()) {
      ASSERT_GT(source_->NextDeadline(), now_) << "what is due was not done";
      now_ = std::min(source_->NextDeadline(), now_ + absl::Seconds(1));
      source_->Advance(now_);
    }
  }

  // By value: the name may lie in open_.
  void Lose(std::string name) {
    open_.erase(name);
    std::erase_if(asked_, [&](const auto& ask) { return ask.second.endpoint == name; });
    probed_.insert(name);
    source_->StreamLost(name, absl::UnavailableError("reset"), now_);
    rests_until_[name] = std::max(rests_until_[name], now_ + options_.breaker.min_backoff / 2);
  }

  std::mt19937_64 random_;
  LabelSourceOptions options_;
  std::unique_ptr<LabelSource> source_;
  absl::Duration now_ = kNow;
  std::map<uint64_t, AskLabels> asked_;
  std::set<std::string> opening_, open_;
  // Since their streams were lost: until they answer.
  std::set<std::string> probed_;
  std::map<std::string, absl::Duration> rests_until_;
  int64_t taken_ = 0, events_ = 0, asks_ = 0, hedges_ = 0;
};

TEST(LabelSourceRandom, OverRandomFaultsEveryStepComesOnceAndInOrder) {
  for (const bool cached : {false, true}) RandomFleet(TestSeed(), cached).Run();
}

}  // namespace
}  // namespace distill
