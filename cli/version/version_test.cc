#include "cli/version/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Version, SaysWhatTheProgramIsAndWhatItWasBuiltWith) {
  const std::string text = VersionText(
      {"teacher_server", "1.2.3", "abc", "g++ 12", "2.11.0", "1.51.1", {"avx2", "avx512f"}});
  EXPECT_THAT(text, StartsWith("teacher_server 1.2.3\n"));
  for (const char* part : {"abc", "g++ 12", "2.11.0", "1.51.1", "avx2 avx512f"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Version, OfAProgramWithoutLibTorchSaysSo) {
  const ProgramVersion version = ThisVersion("distillctl", "");
  EXPECT_THAT(VersionText(version), HasSubstr("LibTorch  not linked"));
  EXPECT_TRUE(nlohmann::json::parse(VersionJson(version))["libtorch"].is_null());
  EXPECT_FALSE(version.grpc.empty());
}

TEST(Version, IsReadBackFromItsJson) {
  const ProgramVersion written = {"evaluate", "1.2.3", "abc", "g++ 12", "2.11.0", "1.51.1", {}};
  ProgramVersion read;
  ASSERT_TRUE(ParseVersionJson(VersionJson(written), &read));
  EXPECT_EQ(read.program, "evaluate");
  EXPECT_EQ(read.version, "1.2.3");
  EXPECT_EQ(read.commit, "abc");
  EXPECT_EQ(read.libtorch, "2.11.0");
  for (const char* other : {"", "x", "[]", "{}", "{\"version\": 2}", "{\"version\": 1}"}) {
    EXPECT_FALSE(ParseVersionJson(other, &read)) << other;
  }
}

TEST(Version, IsPrintedWhereItIsAskedFor) {
  ::testing::internal::CaptureStdout();
  EXPECT_FALSE(AnswerVersion("x", "", {"run", "--json"}));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(AnswerVersion("x", "", {"--version"}));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), VersionText(ThisVersion("x", "")));
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(AnswerVersion("x", "2", {"--version", "--json"}));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), VersionJson(ThisVersion("x", "2")));
}

}  // namespace
}  // namespace distill
