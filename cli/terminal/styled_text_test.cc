#include "cli/terminal/styled_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace distill {
namespace {

TEST(StyledTextTest, WithoutColourNoByteIsAdded) {
  EXPECT_EQ(Paint("failed", Style::kBad, false), "failed");
  EXPECT_EQ(Paint("failed", Style::kBad, true), "\x1b[31mfailed\x1b[0m");
  EXPECT_EQ(Paint("failed", Style::kPlain, true), "failed");
}

TEST(StyledTextTest, ThePaintTakesNoColumn) {
  EXPECT_EQ(VisibleWidth(Paint("failed", Style::kBad, true)), 6);
  EXPECT_EQ(VisibleWidth("a " + Paint("b", Style::kGood, true) + " c"), 5);
}

TEST(StyledTextTest, WhatOthersSayCannotCommandTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\x07"), "a?[2Jb?");
  EXPECT_EQ(Printable("one\ntwo\tthree"), "one two three");
  EXPECT_EQ(Printable("M\xc3\xbcller \xe2\x82\xac"), "M?ller ?");
}

TEST(StyledTextTest, ACutTextSaysThatSomeIsMissing) {
  EXPECT_EQ(Cut("distilled", 9), "distilled");
  EXPECT_EQ(Cut("distilled", 8), "distil..");
  EXPECT_EQ(Cut("distilled", 2), "di");
  EXPECT_EQ(Cut("distilled", -1), "");
}

TEST(StyledTextTest, ATextIsWrappedBetweenWordsAndNoneIsLost) {
  EXPECT_EQ(Wrap("stopped by SIGINT", 9, 9), (std::vector<std::string>{"stopped", "by SIGINT"}));
  EXPECT_EQ(Wrap("stopped by SIGINT", 17, 9), std::vector<std::string>{"stopped by SIGINT"});
  EXPECT_EQ(Wrap("distilled", 4, 9), (std::vector<std::string>{"dist", "ille", "d"}));
  EXPECT_EQ(Wrap("", 4, 9), std::vector<std::string>{});
  EXPECT_EQ(Wrap("a b", 0, 9), (std::vector<std::string>{"a", "b"}));
}

TEST(StyledTextTest, WhatIsBeyondTheLastLineIsCut) {
  EXPECT_EQ(Wrap("one two three four", 7, 2), (std::vector<std::string>{"one two", "three.."}));
  EXPECT_EQ(Wrap("one two", 5, 1), std::vector<std::string>{"one.."});
}

}  // namespace
}  // namespace distill
