#include "cli/logs/file_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
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

TEST_F(FileTailTest, AFileThatGrewAnewBeyondWhatWasReadIsReadFromItsStartToo) {
  int restarts = 0;
  const auto read = [&] {
    std::vector<std::string> lines;
    const auto keep = [&](const std::string& line) { lines.push_back(line); };
    EXPECT_TRUE(tail_.Read(keep, 1000, [&] { ++restarts; }).ok());
    return lines;
  };
  Append("1 kept\n2 lost\n3 lo");
  EXPECT_THAT(read(), ElementsAre("1 kept", "2 lost"));
  ASSERT_TRUE(files_.Write("/d/log", "1 kept\n2 new\n3 new\n4 new\n").ok());
  EXPECT_EQ(restarts, 0);
  EXPECT_THAT(read(), ElementsAre("1 kept", "2 new", "3 new", "4 new"));
  EXPECT_EQ(restarts, 1);
  Append("5 new\n");
  EXPECT_THAT(read(), ElementsAre("5 new"));
  EXPECT_EQ(restarts, 1);
  ASSERT_TRUE(files_.Write("/d/log", "1\n").ok());
  EXPECT_THAT(read(), ElementsAre("1"));
  EXPECT_EQ(restarts, 2);
}

TEST_F(FileTailTest, ALookReadsNoMoreThanItIsAllowed) {
  Append("one\ntwo\nthree\n");
  std::vector<std::string> lines;
  const auto keep = [&](const std::string& line) { lines.push_back(line); };
  const auto left = tail_.Read(keep, 6);
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(*left, 8u);
  EXPECT_THAT(lines, ElementsAre("one"));
  EXPECT_THAT(New(), ElementsAre("two", "three"));
}

TEST_F(FileTailTest, ALineLongerThanALineMayBeComesInPieces) {
  const std::string most(FileTail::kMaxLineBytes, 'x');
  Append(most + "\n" + most + "yy\nnext\n" + most + most + "z");
  EXPECT_THAT(New(), ElementsAre(most, most, "yy", "next", most, most));
  EXPECT_EQ(tail_.TakeRest(), "z");
}

TEST_F(FileTailTest, ALineAsLongAsItMayBeIsOneHoweverItComes) {
  const std::string most(FileTail::kMaxLineBytes, 'x');
  Append(most);
  EXPECT_THAT(New(), IsEmpty());
  Append("\nnext\n");
  EXPECT_THAT(New(), ElementsAre(most, "next"));
}

TEST_F(FileTailTest, OfWhatIsThereOnlyTheLastLinesMayBeRead) {
  const std::pair<size_t, std::vector<std::string>> cases[] = {{0, {}},
                                                               {1, {"three"}},
                                                               {2, {"", "three"}},
                                                               {3, {"one", "", "three"}},
                                                               {9, {"one", "", "three"}}};
  Append("one\n\nthree\nto");
  for (const auto& [count, expected] : cases) {
    FileTail tail(&files_, "/d/log");
    ASSERT_TRUE(tail.SkipToLast(count).ok());
    std::vector<std::string> lines;
    ASSERT_TRUE(tail.Read([&](const std::string& line) { lines.push_back(line); }).ok());
    EXPECT_EQ(lines, expected) << count;
    EXPECT_EQ(tail.TakeRest(), "to");
  }
  FileTail none(&files_, "/d/none");
  EXPECT_TRUE(none.SkipToLast(3).ok());
}

TEST_F(FileTailTest, TheLastLinesAreFoundAcrossReadsAndWithoutTheRestOfTheFile) {
  std::string text;
  for (int line = 0; line < 50'000; ++line) text += "line " + std::to_string(line) + "\n";
  Append(text);
  const int64_t before = files_.operations();
  ASSERT_TRUE(tail_.SkipToLast(10'000).ok());
  // Its size and two blocks: 110,000 bytes of 540,000.
  EXPECT_EQ(files_.operations() - before, 3);
  const std::vector<std::string> lines = New();
  ASSERT_EQ(lines.size(), 10'000u);
  EXPECT_EQ(lines.front(), "line 40000");
  EXPECT_EQ(lines.back(), "line 49999");
}

TEST_F(FileTailTest, WithoutLineEndsTheLastLinesAreNoMoreThanSoManyOfTheLongest) {
  Append(std::string(5 * FileTail::kMaxLineBytes, 'x'));
  ASSERT_TRUE(tail_.SkipToLast(1).ok());
  size_t bytes = 0;
  for (const std::string& line : New()) bytes += line.size();
  EXPECT_EQ(bytes + tail_.TakeRest().size(), 2 * FileTail::kMaxLineBytes);
}

}  // namespace
}  // namespace distill
