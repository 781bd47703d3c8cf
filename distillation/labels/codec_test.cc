#include "distillation/labels/codec.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(Codec, AnUnknownNameListsTheKnownOnes) {
  const auto codec = FindCodec("topk");
  EXPECT_EQ(codec.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(codec.status().message()), HasSubstr("dense_fp32, dense_fp16"));
}

TEST(Codec, NumbersAfterANameAreTakenWhereTheFamilyHasThem) {
  const auto found = FindCodec("log_prob_u8/24");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->name(), "log_prob_u8/24");
  for (const char* bad : {"log_prob_u8/",
                          "log_prob_u8/0",
                          "log_prob_u8/-1",
                          "log_prob_u8/016",
                          "log_prob_u8/16x",
                          "log_prob_u8/1025",
                          "log_prob_u8/99999999999",
                          "log_prob_u8/16/2",
                          "log_prob_u8/16/",
                          "dense_fp16/1",
                          "dense_fp16/",
                          "",
                          "/16",
                          "top_k/0",
                          "top_k/4097",
                          "top_k/8/33",
                          "top_k/8/12/1",
                          "top_k/",
                          "scores_at_ids",
                          "scores_at_ids/"}) {
    const auto codec = FindCodec(bad);
    EXPECT_EQ(codec.status().code(), absl::StatusCode::kUnimplemented) << bad;
    EXPECT_THAT(std::string(codec.status().message()), HasSubstr(std::string("'") + bad + "'"));
  }
  EXPECT_THAT(std::string(FindCodec("log_prob_u8/1025").status().message()),
              HasSubstr("has '1025' where a whole number from 1 to 1024 belongs"));
}

TEST(Codec, DenseCodecsAreFoundByTheNamesThatAreListed) {
  EXPECT_THAT(DenseCodecNames(),
              ElementsAre("dense_fp32", "dense_fp16", "dense_bf16", "log_prob_u8", "log_prob_u8/32",
                          "log_prob_u8/64", "log_prob_u8/128"));
  for (const std::string& name : DenseCodecNames()) {
    const auto codec = FindCodec(name);
    ASSERT_TRUE(codec.ok()) << codec.status();
    EXPECT_EQ((*codec)->name(), name);
    EXPECT_EQ(codec->get(), FindCodec(name)->get()) << "lives forever";
  }
}

TEST(Codec, EveryFamilyIsFoundWithItsNumbersAndKeepsItsName) {
  for (const char* name : {"log_prob_u8/24", "top_k", "top_k/50", "top_k/50/8", "scores_at_ids/3",
                           "scores_at_ids/3/6", "sampled", "sampled/9"}) {
    const auto codec = FindCodec(name);
    ASSERT_TRUE(codec.ok()) << codec.status();
    EXPECT_EQ((*codec)->name(), name);
  }
  EXPECT_THAT(CodecNames(), IsSupersetOf(DenseCodecNames()));
}

TEST(Codec, OptionsThatACodecCannotServeAreRefused) {
  CodecOptions options;
  options.max_temperature = 100;
  const auto codec = FindCodec("top_k", options);
  EXPECT_EQ(codec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(codec.status().message()), HasSubstr("temperatures from 1 to 100"));
  EXPECT_TRUE(FindCodec("dense_fp16", options).ok()) << "has no use for them";
}

TEST(Codec, TheFirstPreferenceThatIsSupportedIsTaken) {
  const std::vector<std::string> supported = {"dense_fp32", "dense_fp16"};
  EXPECT_EQ(*Negotiate(std::vector<std::string>{"new", "dense_fp16", "dense_fp32"}, supported),
            "dense_fp16");
  const auto none = Negotiate(std::vector<std::string>{"new"}, supported);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("[new]"));
  EXPECT_FALSE(Negotiate({}, supported).ok());
}

}  // namespace
}  // namespace distill
