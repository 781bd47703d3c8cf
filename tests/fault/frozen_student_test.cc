// A student that is frozen, and so reads nothing and keeps its streams, costs the others
// nothing, and the server no more memory than its share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <vector>

#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

constexpr int kRows = 8;
constexpr uint64_t kAnswerBytes = kRows * LabelServerHarness::kClasses * sizeof(float);

struct Outcome {
  // Batches until the live students had all their answers.
  int batches = 0;
  uint64_t most_held = 0;
  size_t refused = 0;
};

// Two live students ask for `asks` answers each, four at a time; beside them `frozen`
// ones ask for all they are allowed to, and read none.
Outcome Simulate(int frozen, int asks, const LabelStreamOptions& options) {
  LabelServerHarness harness(options);
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/64 * kRows);
  std::vector<std::shared_ptr<HarnessStudent>> dead;
  for (int i = 0; i < frozen; ++i) dead.push_back(harness.Open("run"));
  std::vector<std::shared_ptr<HarnessStudent>> live;
  for (int i = 0; i < 2; ++i) live.push_back(harness.Open("run"));
  std::vector<uint64_t> asked(live.size(), 0);
  uint64_t asked_by_dead = 0;
  Outcome outcome;
  const auto count = [&](size_t i) { return live[i]->answered.size(); };
  for (int round = 0; round < 10 * asks; ++round) {
    if (std::min(count(0), count(1)) == static_cast<size_t>(asks)) break;
    // The frozen had asked ahead; what is refused they would have asked again.
    ++asked_by_dead;
    for (const auto& student : dead) {
      if (!student->end.has_value()) harness.Ask(*student, asked_by_dead, kRows);
    }
    for (size_t i = 0; i < live.size(); ++i) {
      while (asked[i] < count(i) + 4 && asked[i] < static_cast<uint64_t>(asks)) {
        harness.Ask(*live[i], ++asked[i], kRows);
      }
    }
    if (runner->CompleteOldest()) ++outcome.batches;
    harness.control.RunAll();
    outcome.most_held = std::max(outcome.most_held, harness.server.held_bytes());
    for (const auto& student : live) student->Read();
  }
  for (const auto& student : live) {
    outcome.refused += student->failed.size();
    EXPECT_FALSE(student->end.has_value()) << *student->end;
    EXPECT_EQ(student->answered.size(), static_cast<size_t>(asks));
  }
  return outcome;
}

TEST(FrozenStudent, CostsTheOthersNoMoreThanTheAnswersItHasRoomFor) {
  constexpr int kAsks = 1000;
  LabelStreamOptions options;
  options.max_server_bytes = 100 * kAnswerBytes;
  options.max_unsent_bytes = 30 * kAnswerBytes;
  const Outcome alone = Simulate(0, kAsks, options);
  EXPECT_EQ(alone.batches, 2 * kAsks);
  for (const int frozen : {1, 3}) {
    const Outcome beside = Simulate(frozen, kAsks, options);
    const int extra = beside.batches - alone.batches;
    std::cout << frozen << " frozen: " << extra << " batches more than " << alone.batches << ", "
              << beside.most_held << " of " << options.max_server_bytes << " bytes held\n";
    EXPECT_EQ(beside.refused, 0u);
    // Each batch is one answer: what was computed for the frozen fits into their bounds.
    EXPECT_LE(extra, frozen * 32);
    EXPECT_LE(beside.most_held, options.max_server_bytes);
  }
}

TEST(FrozenStudent, ManyOfThemLeaveTheServersMemoryBelowItsCeilingAndRoomForTheOthers) {
  LabelStreamOptions options;
  options.max_server_bytes = 200 * kAnswerBytes;
  const Outcome beside = Simulate(/*frozen=*/9, /*asks=*/300, options);
  std::cout << "9 frozen: " << beside.most_held << " of " << options.max_server_bytes
            << " bytes held, " << beside.batches << " batches\n";
  EXPECT_EQ(beside.refused, 0u);
  EXPECT_LE(beside.most_held, options.max_server_bytes);
  // All that the frozen could hold, once.
  EXPECT_LE(beside.batches, 2 * 300 + 200);
}

}  // namespace
}  // namespace distill
