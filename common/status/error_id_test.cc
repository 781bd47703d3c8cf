#include "common/status/error_id.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "common/status/annotate.h"

namespace distill {
namespace {

TEST(ErrorId, StaysWithTheErrorThroughContextAndOtherWords) {
  const absl::Status status =
      WithErrorId(absl::NotFoundError("it is not there"), ErrorId::kFileMissing);
  EXPECT_EQ(status.message(), "it is not there");
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kFileMissing);
  EXPECT_EQ(ErrorIdOf(Annotate(status, "labels.npy")), ErrorId::kFileMissing);
  const absl::Status other = Reworded(status, absl::StatusCode::kDataLoss, "the set is torn");
  EXPECT_EQ(other.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(other.message(), "the set is torn");
  EXPECT_EQ(ErrorIdOf(other), ErrorId::kFileMissing);
}

TEST(ErrorId, OfWhoMadeTheErrorIsNotReplaced) {
  const absl::Status made = WithErrorId(absl::InternalError("x"), ErrorId::kLossNotFinite);
  EXPECT_EQ(ErrorIdOf(WithErrorId(made, ErrorId::kAnyRunFailure)), ErrorId::kLossNotFinite);
}

TEST(ErrorId, IsNotInventedForOkOrForAnErrorWithoutOne) {
  EXPECT_TRUE(WithErrorId(absl::OkStatus(), ErrorId::kDiskFull).ok());
  EXPECT_EQ(ErrorIdOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ErrorIdOf(absl::InternalError("x")), std::nullopt);
  EXPECT_EQ(ErrorIdOf(Annotate(absl::InternalError("x"), "y")), std::nullopt);
  EXPECT_EQ(MessageWithId(absl::InternalError("x")), "x");
}

TEST(ErrorId, SurvivesAsText) {
  const absl::Status status = WithErrorId(absl::InternalError("it went"), ErrorId::kRankLost);
  const std::string text = MessageWithId(status);
  EXPECT_EQ(text, "it went [DST-4008]");
  EXPECT_EQ(StatusOfText(absl::StatusCode::kInternal, text), status);
  EXPECT_EQ(ErrorIdIn("run \"a\" failed: " + text + "\ncontinue"), ErrorId::kRankLost);
  EXPECT_EQ(ErrorIdIn("a [DST-4008] and then b [DST-5001]"), ErrorId::kNoTeacherReady);
}

TEST(ErrorId, IsNotPutBehindAMessageThatNamesItItself) {
  const absl::Status status =
      WithErrorId(absl::InternalError("first [DST-4008]\nsecond"), ErrorId::kRankLost);
  EXPECT_EQ(MessageWithId(status), "first [DST-4008]\nsecond");
}

TEST(ErrorId, IsNotReadFromWhatOnlyLooksLikeOne) {
  for (const char* text : {"", "x", "[DST-", "x [DST-9999]", "x [DST-400]", "x [DST-4008",
                           "DST-4008", "[DST-4008 ]"}) {
    EXPECT_EQ(ErrorIdIn(text), std::nullopt) << text;
    const absl::Status status = StatusOfText(absl::StatusCode::kInternal, text);
    EXPECT_EQ(status.message(), text);
    EXPECT_EQ(ErrorIdOf(status), std::nullopt);
  }
  // Behind one that is none the true one is found, and only the last one of a text is cut off.
  EXPECT_EQ(ErrorIdIn("[DST-4008] [DST-9999]"), ErrorId::kRankLost);
  EXPECT_EQ(StatusOfText(absl::StatusCode::kInternal, "x [DST-4008] y").message(),
            "x [DST-4008] y");
  // MessageWithId puts a blank before it.
  EXPECT_EQ(StatusOfText(absl::StatusCode::kInternal, "f[DST-4008]").message(), "f[DST-4008]");
}

}  // namespace
}  // namespace distill
