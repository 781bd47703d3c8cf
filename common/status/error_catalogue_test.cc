#include "common/status/error_catalogue.h"

#include <gtest/gtest.h>

#include <string_view>

namespace distill {
namespace {

TEST(ErrorCatalogue, RisesSoThatNoIdStandsTwice) {
  int last = 0;
  for (const ErrorEntry& entry : ErrorCatalogue()) {
    EXPECT_GT(static_cast<int>(entry.id), last);
    last = static_cast<int>(entry.id);
  }
  EXPECT_GE(ErrorCatalogue().size(), 60u);
}

TEST(ErrorCatalogue, SaysOfEachIdWhatItMeansWhereFromAndWhatToDo) {
  for (const ErrorEntry& entry : ErrorCatalogue()) {
    for (const std::string_view text : {entry.meaning, entry.causes, entry.what_to_do}) {
      ASSERT_FALSE(text.empty()) << ErrorIdName(entry.id);
      EXPECT_EQ(text.back(), '.') << text;
    }
  }
}

TEST(ErrorCatalogue, FindsAnIdHoweverItIsWritten) {
  EXPECT_EQ(ErrorIdName(ErrorId::kUnknownField), "DST-1101");
  for (const char* name : {"DST-1101", "dst-1101", "1101"}) {
    const ErrorEntry* entry = FindError(ErrorNumberOf(name));
    ASSERT_NE(entry, nullptr) << name;
    EXPECT_EQ(entry->id, ErrorId::kUnknownField);
  }
  EXPECT_EQ(FindError(1199), nullptr);
  for (const char* name : {"", "DST-", "DST-11012", "DST-11x1", "+101", "11 1", "DST--101"}) {
    EXPECT_EQ(ErrorNumberOf(name), 0) << name;
  }
}

// What people have written down stays true: these numbers are promised.
TEST(ErrorCatalogue, KeepsTheNumbersThatWereGivenOut) {
  EXPECT_EQ(static_cast<int>(ErrorId::kUnknownField), 1101);
  EXPECT_EQ(static_cast<int>(ErrorId::kDataFilesMissing), 2002);
  EXPECT_EQ(static_cast<int>(ErrorId::kDiskFull), 2101);
  EXPECT_EQ(static_cast<int>(ErrorId::kRunDirectoryNotEmpty), 2301);
  EXPECT_EQ(static_cast<int>(ErrorId::kCoordinatorUnreachable), 3001);
  EXPECT_EQ(static_cast<int>(ErrorId::kPortTaken), 3101);
  EXPECT_EQ(static_cast<int>(ErrorId::kLossNotFinite), 4001);
  EXPECT_EQ(static_cast<int>(ErrorId::kNoTeacherReady), 5001);
  EXPECT_EQ(static_cast<int>(ErrorId::kProgramMissing), 6001);
}

TEST(ErrorCatalogue, GroupsByThousands) {
  EXPECT_STREQ(ErrorGroup(ErrorId::kUnknownField), "Usage and configuration");
  EXPECT_STREQ(ErrorGroup(ErrorId::kDiskFull), "Data and files");
  EXPECT_STREQ(ErrorGroup(ErrorId::kPortTaken), "Network and peers");
  EXPECT_STREQ(ErrorGroup(ErrorId::kRankLost), "A run");
  EXPECT_STREQ(ErrorGroup(ErrorId::kCanaryFailed), "Teachers");
  EXPECT_STREQ(ErrorGroup(ErrorId::kProgramMissing), "The machine");
}

}  // namespace
}  // namespace distill
