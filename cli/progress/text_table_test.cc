#include "cli/progress/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::ElementsAre;

std::vector<TableColumn> Columns() {
  return {{"NAME"}, {"RATE", 2, true}, {"SHARE", 1, true}, {"LOSS", 3, false, 6}};
}

std::vector<TableRow> Rows() {
  return {{{{"a"}, {"12.5"}, {"3%"}, {"hard 0.5 soft 1.5"}}, {}},
          {{{"longer"}, {"7.5"}, {"100%"}, {"hard 0.25"}}, {}}};
}

std::vector<std::string> At(int width) { return LayOut(Columns(), Rows(), width, false); }

TEST(TextTableTest, NumbersAreRightAlignedAndNoLineEndsInBlanks) {
  EXPECT_THAT(At(80), ElementsAre("NAME    RATE  SHARE  LOSS",               //
                                  "a       12.5     3%  hard 0.5 soft 1.5",  //
                                  "longer   7.5   100%  hard 0.25"));
}

TEST(TextTableTest, TheLastColumnIsCutFirst) {
  EXPECT_THAT(At(30), ElementsAre("NAME    RATE  SHARE  LOSS",       //
                                  "a       12.5     3%  hard 0...",  //
                                  "longer   7.5   100%  hard 0.25"));
}

TEST(TextTableTest, ThenColumnsGoByPriority) {
  EXPECT_THAT(At(26), ElementsAre("NAME    RATE  SHARE", "a       12.5     3%",  //
                                  "longer   7.5   100%"));
  EXPECT_THAT(At(18), ElementsAre("NAME    SHARE", "a          3%", "longer   100%"));
  EXPECT_THAT(At(8), ElementsAre("NAME", "a", "longer"));
}

TEST(TextTableTest, AtLastTheFirstColumnIsCut) {
  EXPECT_THAT(At(4), ElementsAre("NAME", "a", "lo.."));
  EXPECT_THAT(At(1), ElementsAre("N", "a", "l"));
}

TEST(TextTableTest, ANoteStandsInPlaceOfTheOtherCells) {
  std::vector<TableRow> rows = Rows();
  rows.push_back({{{"b"}}, {"waits for a teacher", Style::kWarning}});
  EXPECT_EQ(LayOut(Columns(), rows, 80, false)[3], "b       waits for a teacher");
  EXPECT_EQ(LayOut(Columns(), rows, 18, false)[3], "b       waits fo..");
  EXPECT_EQ(LayOut(Columns(), rows, 80, true)[3], "b       \x1b[33mwaits for a teacher\x1b[0m");
}

TEST(TextTableTest, WhereANoteHasNoRoomNoBlanksStandForIt) {
  std::vector<TableRow> rows = Rows();
  rows.push_back({{{"b"}}, {"waits"}});
  EXPECT_EQ(LayOut(Columns(), rows, 9, false)[3], "b       w");
  for (const int width : {8, 7, 6, 3}) {
    EXPECT_EQ(LayOut(Columns(), rows, width, false)[3], "b") << width;
  }
}

TEST(TextTableTest, AColumnWithoutTextIsLeftOut) {
  EXPECT_THAT(LayOut({{"NAME"}, {"CACHE", 1, true}, {"ROWS", 2, true}},
                     {{{{"t"}, {""}, {"5"}}, {}}}, 80, false),
              ElementsAre("NAME  ROWS", "t        5"));
}

TEST(TextTableTest, NoLineIsWiderThanTheWidthWhateverItIs) {
  for (int width = 1; width < 60; ++width) {
    for (const std::string& line : LayOut(Columns(), Rows(), width, true)) {
      EXPECT_LE(VisibleWidth(line), width) << line;
    }
  }
}

}  // namespace
}  // namespace distill
