#include "common/metrics/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace distill {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

TEST(Catalogue, NamesAreSnakeCaseWithThePrefixOfTheirOwnerAndThereOnce) {
  std::set<std::string> names;
  for (const MetricRow& row : Catalogue()) {
    const std::string name = row.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(std::regex_match(name, std::regex("[a-z][a-z0-9]*(_[a-z0-9]+)+"))) << name;
    switch (row.owner) {
      case MetricOwner::kEveryProcess:
        EXPECT_THAT(name, AnyOf(StartsWith("distill_"), StartsWith("process_")));
        break;
      case MetricOwner::kCoordinator:
        EXPECT_THAT(name, StartsWith("distill_coordinator_"));
        break;
      case MetricOwner::kTeacherServer:
        EXPECT_THAT(name, StartsWith("distill_teacher_"));
        break;
      case MetricOwner::kStudentWorker:
        EXPECT_THAT(name, StartsWith("distill_student_"));
    }
  }
}

TEST(Catalogue, CountersAndOnlyTheyEndInTotal) {
  for (const MetricRow& row : Catalogue()) {
    EXPECT_EQ(absl::EndsWith(row.name, "_total"), row.kind == MetricKind::kCounter) << row.name;
  }
}

TEST(Catalogue, SecondsBytesAndRatiosAreSaidByTheNameAndNoOtherUnitOfTheirKindIs) {
  for (const MetricRow& row : Catalogue()) {
    std::string name = row.name;
    if (absl::EndsWith(name, "_total")) name.resize(name.size() - 6);
    for (const char* unit : {"seconds", "bytes", "ratio"}) {
      EXPECT_EQ(absl::EndsWith(name, std::string("_") + unit), std::string(row.unit) == unit)
          << row.name;
    }
    for (const char* wrong : {"_ms", "_us", "millis", "percent", "_kb", "_mb", "mib"}) {
      EXPECT_FALSE(absl::StrContains(name, wrong)) << row.name;
    }
  }
}

TEST(Catalogue, HistogramsAndOnlyTheyHaveBoundsWhichRise) {
  for (const MetricRow& row : Catalogue()) {
    EXPECT_EQ(!row.bounds.empty(), row.kind == MetricKind::kHistogram) << row.name;
    EXPECT_TRUE(std::is_sorted(row.bounds.begin(), row.bounds.end())) << row.name;
  }
}

TEST(Catalogue, EveryRowSaysWhatItIs) {
  for (const MetricRow& row : Catalogue()) {
    EXPECT_STRNE(row.help, "") << row.name;
    EXPECT_FALSE(absl::StrContains(row.help, "\n") || absl::StrContains(row.more, "\n"))
        << row.name;
    EXPECT_FALSE(absl::StrContains(row.more, "|")) << row.name << " would break its table";
  }
}

TEST(MetricBounds, DurationsAreSixteenFromHalfAMillisecondToAMinute) {
  const std::vector<double> bounds(std::begin(kDurationBounds), std::end(kDurationBounds));
  ASSERT_EQ(bounds.size(), 16u);
  EXPECT_EQ(bounds.front(), 0.0005);
  EXPECT_EQ(bounds.back(), 60);
  for (size_t i = 1; i < bounds.size(); ++i) {
    EXPECT_GE(bounds[i] / bounds[i - 1], 1.99);
    EXPECT_LE(bounds[i] / bounds[i - 1], 2.51);
  }
}

TEST(MetricBounds, SizesArePowersOfTwoUpTo4096) {
  ASSERT_EQ(std::size(kSizeBounds), 13u);
  for (int i = 0; i < 13; ++i) EXPECT_EQ(kSizeBounds[i], 1 << i);
}

}  // namespace
}  // namespace distill
