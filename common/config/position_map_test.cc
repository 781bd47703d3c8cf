#include "common/config/position_map.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(PositionMap, AnswersForAFieldLeftOutWithTheNearestEnclosingOne) {
  PositionMap map;
  map.Set("runs[1]", {"p.yaml", 4, 3});
  map.Set("runs[1].training", {"p.yaml", 6, 5});
  EXPECT_EQ(map.PositionOf("runs[1].training.steps")->ToString(), "p.yaml:6:5");
  EXPECT_EQ(map.PositionOf("runs[1].model.widths[0]")->ToString(), "p.yaml:4:3");
  EXPECT_EQ(map.PositionOf("runs[0]"), nullptr);
}

TEST(PositionMap, ErasesAFieldWithAllBelowAndNothingBeside) {
  PositionMap map;
  for (const char* path : {"a", "a.b", "a[0]", "ab"}) map.Set(path, {"f", 1, 1});
  map.Erase("a");
  EXPECT_EQ(map.PositionOf("a.b"), nullptr);
  EXPECT_EQ(map.PositionOf("a[0]"), nullptr);
  EXPECT_NE(map.PositionOf("ab"), nullptr);
}

TEST(ProblemsToStatus, ListsAllProblemsInOrderEachWithItsPosition) {
  PositionMap map;
  map.Set("a", {"p.yaml", 2, 1});
  map.Set("b", {"--set b=1", 0, 0});
  EXPECT_TRUE(ProblemsToStatus({}, map).ok());
  const absl::Status status = ProblemsToStatus({{"a.x", "bad"}, {"b", "worse"}, {"c", "?"}}, map);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "p.yaml:2:1: a.x: bad\n--set b=1: b: worse\nc: ?");
}

TEST(PositionMap, AFieldThatWasNotWrittenHasOnlyThePlaceOfWhatEnclosesIt) {
  PositionMap positions;
  positions.Set("runs[0]", {"p.yaml", 2, 3});
  EXPECT_EQ(positions.Written("runs[0]")->line, 2);
  EXPECT_EQ(positions.Written("runs[0].name"), nullptr);
  EXPECT_EQ(positions.PositionOf("runs[0].name")->line, 2);
}

}  // namespace
}  // namespace distill
