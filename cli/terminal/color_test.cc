#include "cli/terminal/color.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

const TerminalEnvironment kPlain = {false, "xterm"};

TEST(ColorTest, ByItselfColourIsForTerminalsOnly) {
  EXPECT_TRUE(UsesColor(ColorChoice::kAuto, true, kPlain));
  EXPECT_FALSE(UsesColor(ColorChoice::kAuto, false, kPlain));
}

TEST(ColorTest, NoColorAndADumbTerminalTurnItOff) {
  EXPECT_FALSE(UsesColor(ColorChoice::kAuto, true, {true, "xterm"}));
  EXPECT_FALSE(UsesColor(ColorChoice::kAuto, true, {false, "dumb"}));
  EXPECT_FALSE(UsesColor(ColorChoice::kAuto, true, {false, ""}));
}

TEST(ColorTest, WhatTheUserTypedCountsMost) {
  EXPECT_FALSE(UsesColor(ColorChoice::kNever, true, kPlain));
  EXPECT_TRUE(UsesColor(ColorChoice::kAlways, false, {true, "dumb"}));
}

}  // namespace
}  // namespace distill
