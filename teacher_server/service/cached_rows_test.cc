#include "teacher_server/service/cached_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/executor/manual_executor.h"
#include "common/files/fake_file_system.h"
#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "teacher_server/cache/disk_tier.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr LabelScope kLogits = {1, 2};
constexpr LabelScope kFeature = {3, 4};
using Ids = std::vector<uint64_t>;

LabelRow Truth(LabelScope scope, uint64_t example) {
  return std::make_shared<const std::vector<float>>(
      std::vector<float>{static_cast<float>(scope[0]), static_cast<float>(example)});
}

class CachedRowsTest : public ::testing::Test {
 protected:
  explicit CachedRowsTest(uint64_t memory_bytes = 1 << 20, DiskTier* disk = nullptr)
      : cache_(memory_bytes, disk),
        rows_(std::make_shared<CachedRows>(
            &cache_, [this] { return ++last_id_; },
            [this](absl::AnyInvocable<void()> event) {
              EXPECT_TRUE(control_.Schedule(std::move(event)).ok());
            })) {}

  void Start(uint64_t ask, const Ids& examples, std::vector<LabelScope> scopes = {kLogits}) {
    scopes_[ask] = scopes;
    examples_[ask] = examples;
    rows_->Start(ask, {std::move(scopes), examples, Ids(examples.size())});
    Take();
  }
  void Take() {
    for (CachedRows::Flight& flight : rows_->TakeFlights()) {
      flights_[flight.id] = std::move(flight);
    }
    for (const CachedRows::Ready& ready : rows_->TakeReady()) {
      EXPECT_TRUE(answered_.insert(ready.ask).second) << "answered twice: " << ready.ask;
      const Ids& examples = examples_[ready.ask];
      for (size_t cell = 0; cell < ready.rows.size(); ++cell) {
        const LabelScope scope = scopes_[ready.ask][cell / examples.size()];
        EXPECT_EQ(*ready.rows[cell], *Truth(scope, examples[cell % examples.size()]));
      }
    }
  }
  // The only flight of the ask.
  uint64_t FlightOf(uint64_t ask) {
    for (const auto& [id, flight] : flights_) {
      if (flight.ask == ask) return id;
    }
    ADD_FAILURE() << "no flight of ask " << ask;
    return 0;
  }
  Ids ExamplesOf(uint64_t ask) { return flights_[FlightOf(ask)].examples; }
  void Compute(uint64_t id) {
    const CachedRows::Flight flight = flights_.extract(id).mapped();
    std::vector<LabelRow> labels;
    for (const LabelScope& scope : scopes_[flight.ask]) {
      for (uint64_t example : flight.examples) labels.push_back(Truth(scope, example));
    }
    rows_->Computed(id, labels);
    Take();
  }
  void Fail(uint64_t id) {
    flights_.erase(id);
    rows_->Failed(id);
    Take();
  }
  void ExpectIdle() {
    EXPECT_THAT(flights_, IsEmpty());
    EXPECT_EQ(rows_->asks(), 0u);
    EXPECT_EQ(rows_->sources(), 0u);
  }

  ManualExecutor control_;
  LabelCache cache_;
  uint64_t last_id_ = 1000;
  std::shared_ptr<CachedRows> rows_;
  std::map<uint64_t, std::vector<LabelScope>> scopes_;
  std::map<uint64_t, Ids> examples_;
  std::map<uint64_t, CachedRows::Flight> flights_;
  std::set<uint64_t> answered_;
};

TEST_F(CachedRowsTest, WhatWasComputedIsReadyAtOnceAndOnlyTheRestIsComputed) {
  Start(1, {5, 6});
  Compute(FlightOf(1));
  Start(2, {6, 5});
  EXPECT_THAT(answered_, ElementsAre(1, 2));
  EXPECT_THAT(flights_, IsEmpty());
  Start(3, {5, 7, 6});
  EXPECT_THAT(ExamplesOf(3), ElementsAre(7));
  Compute(FlightOf(3));
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3));
  ExpectIdle();
}

TEST_F(CachedRowsTest, ConcurrentMissesAreComputedOnce) {
  Start(1, {5, 6});
  Start(2, {6, 7});
  Start(3, {5, 6});
  EXPECT_THAT(ExamplesOf(2), ElementsAre(7));
  EXPECT_EQ(flights_.size(), 2u);
  Compute(FlightOf(1));
  EXPECT_THAT(answered_, ElementsAre(1, 3));
  Compute(FlightOf(2));
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3));
  ExpectIdle();
}

TEST_F(CachedRowsTest, AnExampleThatComesTwiceIsComputedOnce) {
  Start(1, {5, 5, 5});
  EXPECT_THAT(ExamplesOf(1), ElementsAre(5));
  Compute(FlightOf(1));
  EXPECT_THAT(answered_, ElementsAre(1));
  ExpectIdle();
}

TEST_F(CachedRowsTest, EachOutputIsLookedUpForItself) {
  Start(1, {5, 6});
  Compute(FlightOf(1));
  Start(2, {5, 6, 7}, {kLogits, kFeature});
  EXPECT_THAT(ExamplesOf(2), ElementsAre(7, 5, 6));
  Start(3, {5}, {kFeature});
  EXPECT_EQ(flights_.size(), 1u);
  Compute(FlightOf(2));
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3));
  ExpectIdle();
}

TEST_F(CachedRowsTest, WhenTheFirstFailsTheNextOneAsksAnewAndOnlyForItsOwn) {
  Start(1, {5, 6});
  Start(2, {6});
  Start(3, {6, 8});
  Fail(FlightOf(1));
  EXPECT_THAT(answered_, IsEmpty());
  EXPECT_THAT(ExamplesOf(2), ElementsAre(6));
  EXPECT_THAT(ExamplesOf(3), ElementsAre(8));
  Compute(FlightOf(3));
  Compute(FlightOf(2));
  EXPECT_THAT(answered_, ElementsAre(2, 3));
  // Nobody waited for it.
  Start(4, {5});
  EXPECT_THAT(ExamplesOf(4), ElementsAre(5));
  Compute(FlightOf(4));
  ExpectIdle();
}

TEST_F(CachedRowsTest, AFailedFlightLeavesAloneWhatAnotherBrings) {
  Start(1, {5});
  Start(2, {5}, {kLogits, kFeature});
  Fail(FlightOf(2));
  EXPECT_EQ(flights_.size(), 1u);
  Compute(FlightOf(1));
  EXPECT_THAT(answered_, ElementsAre(1));
  ExpectIdle();
}

TEST_F(CachedRowsTest, AnAbandonedFlightIsKeptForThoseThatWaitAndGivenUpOtherwise) {
  Start(1, {5, 6});
  Start(2, {6});
  EXPECT_THAT(rows_->Abandon(1), IsEmpty());
  const uint64_t flight = FlightOf(1);
  EXPECT_TRUE(rows_->Awaited(flight));
  EXPECT_THAT(rows_->Abandon(2), IsEmpty());
  EXPECT_FALSE(rows_->Awaited(flight));
  Fail(flight);
  EXPECT_THAT(answered_, IsEmpty());
  Start(3, {5});
  EXPECT_THAT(rows_->Abandon(3), ElementsAre(FlightOf(3)));
  Fail(FlightOf(3));
  ExpectIdle();
}

TEST_F(CachedRowsTest, TheResultOfAnAbandonedFlightIsCached) {
  Start(1, {5});
  rows_->Abandon(1);
  Compute(FlightOf(1));
  Start(2, {5});
  EXPECT_THAT(answered_, ElementsAre(2));
  ExpectIdle();
}

TEST_F(CachedRowsTest, WhatWasInFlightWhenTheCacheWasClearedIsNotKept) {
  Start(1, {5});
  cache_.Clear();
  Compute(FlightOf(1));
  EXPECT_THAT(answered_, ElementsAre(1));
  EXPECT_EQ(cache_.stats().memory.bytes, 0u);
  ExpectIdle();
}

class CachedRowsOnDiskTest : public CachedRowsTest {
 protected:
  CachedRowsOnDiskTest() : CachedRowsOnDiskTest(std::make_unique<Disk>()) {}

  struct Disk {
    FakeFileSystem files;
    ManualExecutor executor;
    std::unique_ptr<DiskTier> tier;
    Disk() {
      DiskTierOptions options;
      options.directory = "cache";
      tier = std::make_unique<DiskTier>(&files, options, &executor, &executor, nullptr);
      executor.RunAll();
      // Of an earlier life.
      tier->Add({{{kLogits, 5, 0}, Truth(kLogits, 5)}, {{kLogits, 6, 0}, Truth(kLogits, 6)}});
      executor.RunAll();
    }
  };
  explicit CachedRowsOnDiskTest(std::unique_ptr<Disk> disk)
      : CachedRowsTest(1 << 20, disk->tier.get()), disk_(std::move(disk)) {}

  void RunDisk() {
    disk_->executor.RunAll();
    control_.RunAll();
    Take();
  }

  std::unique_ptr<Disk> disk_;
};

TEST_F(CachedRowsOnDiskTest, RowsComeFromDiskOnceForAllAndOnlyTheRestIsComputed) {
  Start(1, {5, 6});
  Start(2, {6, 7});
  EXPECT_THAT(flights_, IsEmpty());
  RunDisk();
  EXPECT_THAT(answered_, ElementsAre(1));
  EXPECT_THAT(ExamplesOf(2), ElementsAre(7));
  Compute(FlightOf(2));
  EXPECT_EQ(cache_.stats().disk.hits, 2u);
  EXPECT_EQ(cache_.stats().disk.misses, 1u);
  Start(3, {5, 6, 7});
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3));
  ExpectIdle();
}

TEST_F(CachedRowsOnDiskTest, ASearchWhoseAskIsAbandonedServesThoseThatWait) {
  Start(1, {5, 7});
  Start(2, {5, 7});
  Start(3, {9});
  rows_->Abandon(1);
  rows_->Abandon(3);
  RunDisk();
  EXPECT_THAT(ExamplesOf(2), ElementsAre(7));
  EXPECT_EQ(flights_.size(), 1u);
  Compute(FlightOf(2));
  EXPECT_THAT(answered_, ElementsAre(2));
  ExpectIdle();
}

TEST_F(CachedRowsOnDiskTest, WhatASearchFoundBeforeTheCacheWasClearedIsComputedAnew) {
  Start(1, {5});
  disk_->executor.RunAll();
  cache_.Clear();
  RunDisk();
  EXPECT_THAT(answered_, IsEmpty());
  EXPECT_EQ(cache_.stats().memory.bytes, 0u);
  Compute(FlightOf(1));
  EXPECT_THAT(answered_, ElementsAre(1));
}

TEST_F(CachedRowsOnDiskTest, ASearchThatComesBackTooLateFindsNobody) {
  Start(1, {5});
  rows_ = nullptr;
  disk_->executor.RunAll();
  control_.RunAll();
}

// Any order of events: every ask that is neither abandoned nor failed is answered once,
// with its own rows, and no row is computed twice at a time.
void RunAnyOrder(CachedRows& rows, uint64_t seed, uint64_t round,
                 const std::function<void()>& run_disk) {
  std::map<uint64_t, CachedRows::Flight> flights;
  std::map<uint64_t, Ids> open;
  uint64_t draw = 0;
  const auto below = [&](uint64_t bound) { return UniformBelow(seed, round, draw++, bound); };
  const auto take = [&] {
    for (const CachedRows::Ready& ready : rows.TakeReady()) {
      ASSERT_TRUE(open.contains(ready.ask)) << ready.ask;
      for (size_t i = 0; i < ready.rows.size(); ++i) {
        ASSERT_EQ(*ready.rows[i], *Truth(kLogits, open[ready.ask][i]));
      }
      open.erase(ready.ask);
    }
    for (CachedRows::Flight& flight : rows.TakeFlights()) {
      for (const auto& [id, other] : flights) {
        for (uint64_t example : flight.examples) {
          ASSERT_EQ(std::count(other.examples.begin(), other.examples.end(), example), 0)
              << "computed twice: " << example;
        }
      }
      flights[flight.id] = std::move(flight);
    }
  };
  const auto end = [&](bool succeed) {
    auto it = flights.begin();
    std::advance(it, below(flights.size()));
    const CachedRows::Flight flight = flights.extract(it).mapped();
    if (!succeed) {
      open.erase(flight.ask);
      rows.Failed(flight.id);
      return;
    }
    std::vector<LabelRow> labels;
    for (uint64_t example : flight.examples) labels.push_back(Truth(kLogits, example));
    rows.Computed(flight.id, labels);
  };
  for (uint64_t step = 1; step <= 60; ++step) {
    const uint64_t what = below(10);
    if (what < 4) {
      Ids examples(1 + below(4));
      for (uint64_t& example : examples) example = round / 4 * 8 + below(8);
      open[step] = examples;
      rows.Start(step, {{kLogits}, examples, Ids(examples.size())});
    } else if (what < 7 && !flights.empty()) {
      end(below(3) > 0);
    } else if (what == 7 && !open.empty()) {
      auto it = open.begin();
      std::advance(it, below(open.size()));
      for (uint64_t flight : rows.Abandon(it->first)) {
        flights.erase(flight);
        rows.Failed(flight);
      }
      open.erase(it);
    } else if (what == 8) {
      run_disk();
    }
    ASSERT_NO_FATAL_FAILURE(take());
  }
  run_disk();
  ASSERT_NO_FATAL_FAILURE(take());
  while (!flights.empty()) {
    end(true);
    ASSERT_NO_FATAL_FAILURE(take());
  }
  ASSERT_THAT(open, IsEmpty());
  ASSERT_EQ(rows.asks(), 0u);
  ASSERT_EQ(rows.sources(), 0u);
}

TEST_F(CachedRowsOnDiskTest, InAnyOrderOfEventsEachAskGetsItsRowsOnce) {
  const uint64_t seed = TestSeed();
  for (uint64_t round = 0; round < 20'000; ++round) {
    // Two rows fit: they come and go.
    LabelCache cache(2 * (MemoryTier::kRowOverhead + 8),
                     round % 2 == 0 ? nullptr : disk_->tier.get());
    auto rows = std::make_shared<CachedRows>(
        &cache, [this] { return ++last_id_; },
        [this](absl::AnyInvocable<void()> event) {
          EXPECT_TRUE(control_.Schedule(std::move(event)).ok());
        });
    ASSERT_NO_FATAL_FAILURE(RunAnyOrder(*rows, seed, round,
                                        [this] {
                                          disk_->executor.RunAll();
                                          control_.RunAll();
                                        }))
        << "round " << round;
  }
}

}  // namespace
}  // namespace distill
