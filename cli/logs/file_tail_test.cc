#include "cli/logs/file_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "common/files/file_system.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FileTailTest : public ::testing::Test {
 protected:
  FileTailTest() { EXPECT_TRUE(files_.MakeDirectories("/d").ok()); }
  void Append(const std::string& text) {
    auto file = files_.OpenForAppend("/d/log");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(text).ok());
  }
  std::vector<std::string> New() {
    std::vector<std::string> lines;
    EXPECT_TRUE(tail_.Read([&](const std::string& line) { lines.push_back(line); }).ok());
    return lines;
  }

  FakeFileSystem files_;
  FileTail tail_{&files_, "/d/log"};
};

TEST_F(FileTailTest, LinesComeOnceAndOnlyWhole) {
  EXPECT_THAT(New(), IsEmpty());
  Append("one\ntwo\nthr");
  EXPECT_THAT(New(), ElementsAre("one", "two"));
  EXPECT_THAT(New(), IsEmpty());
  Append("ee\n\n");
  EXPECT_THAT(New(), ElementsAre("three", ""));
}

TEST_F(FileTailTest, WhatHasNoEndIsTheRest) {
  Append("one\ntorn");
  New();
  EXPECT_EQ(tail_.TakeRest(), "torn");
  EXPECT_EQ(tail_.TakeRest(), "");
}

TEST_F(FileTailTest, AFileThatWasCutIsReadFromItsStart) {
  Append("one\ntwo\n");
  New();
  ASSERT_TRUE(files_.Write("/d/log", "new\n").ok());
  EXPECT_THAT(New(), ElementsAre("new"));
}

TEST_F(FileTailTest, ALineLongerThanAReadIsOneLine) {
  const std::string line(3 << 20, 'x');
  Append(line + "\nnext\n");
  EXPECT_THAT(New(), ElementsAre(line, "next"));
}

}  // namespace
}  // namespace distill
