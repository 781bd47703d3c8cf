#include "cli/terminal/live_area.h"

#include <gtest/gtest.h>

#include <string>

#include "cli/terminal/styled_text.h"

namespace distill {
namespace {

TEST(LiveAreaTest, AFrameIsWrittenOverTheOneBefore) {
  LiveArea area;
  EXPECT_EQ(area.Frame({"one", "two"}, 80), "\r\x1b[Kone\n\x1b[Ktwo\n\x1b[J");
  EXPECT_EQ(area.Frame({"three"}, 80), "\r\x1b[2A\x1b[Kthree\n\x1b[J");
  EXPECT_EQ(area.Frame({"four"}, 80), "\r\x1b[1A\x1b[Kfour\n\x1b[J");
}

TEST(LiveAreaTest, LinesThatANarrowerTerminalWrappedAreCountedAsItShowsThem) {
  LiveArea area;
  area.Frame({std::string(80, 'x'), Paint(std::string(41, 'y'), Style::kBad, true), ""}, 80);
  // 2 + 2 + 1 rows.
  EXPECT_EQ(area.Frame({"z"}, 40), "\r\x1b[5A\x1b[Kz\n\x1b[J");
}

TEST(LiveAreaTest, AMessageStaysAboveTheArea) {
  LiveArea area;
  area.Frame({"one", "two"}, 80);
  EXPECT_EQ(area.Above("message", 80), "\r\x1b[2A\x1b[Jmessage\n\x1b[Kone\n\x1b[Ktwo\n\x1b[J");
}

TEST(LiveAreaTest, WithoutAnAreaAMessageIsALineLikeAnyOther) {
  LiveArea area;
  EXPECT_EQ(area.Above("message", 80), "message\n");
}

}  // namespace
}  // namespace distill
