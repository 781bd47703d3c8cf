#include "distillation/labels/codec.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
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

TEST(Codec, ANameWithNumbersIsSupportedWhereItsFamilyIs) {
  const std::vector<std::string> supported = {"dense_fp32", "top_k", "log_prob_u8"};
  for (const char* name : {"top_k", "top_k/8", "top_k/8/6", "log_prob_u8/24", "dense_fp32"}) {
    EXPECT_TRUE(IsSupportedCodec(name, supported)) << name;
  }
  for (const char* name : {"top_k/0", "top_k/", "sampled/3", "dense_fp32/2", "", "/"}) {
    EXPECT_FALSE(IsSupportedCodec(name, supported)) << name;
  }
  EXPECT_EQ(*Negotiate(std::vector<std::string>{"sampled/3", "top_k/8", "dense_fp32"}, supported),
            "top_k/8");
}

TEST(Codec, AllThatIsServedButScoresAtIdsIsFoundForARun) {
  EXPECT_THAT(ServedCodecNames(), IsSupersetOf(DenseCodecNames()));
  EXPECT_THAT(ServedCodecNames(), IsSupersetOf({"top_k", "sampled"}));
  for (const std::string& name : ServedCodecNames()) {
    EXPECT_TRUE(FindCodecForRun(name, 1, 1).ok()) << name;
    EXPECT_TRUE(IsSupportedCodec(name, ServedCodecNames()));
  }
  EXPECT_FALSE(IsSupportedCodec("scores_at_ids/3", ServedCodecNames()));
}

TEST(Codec, HiddenCodecsAreServedLiveForeverAndSuitAnyTemperature) {
  for (const char* name : {"hidden_fp32", "hidden_fp16", "hidden_bf16"}) {
    EXPECT_TRUE(IsHiddenCodec(name));
    EXPECT_TRUE(IsSupportedCodec(name, ServedCodecNames()));
    EXPECT_EQ(FindCodec(name)->get(), FindCodecForRun(name, 0, 100)->get());
    EXPECT_THAT(DenseCodecNames(), ::testing::Not(::testing::Contains(name)));
  }
  for (const char* name : {"dense_fp32", "top_k", "hidden", "hidden_fp32/2", ""}) {
    EXPECT_FALSE(IsHiddenCodec(name)) << name;
  }
}

TEST(Codec, TemperaturesOfARunThatASparseCodecCannotServeAreRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 0}, {1, 33}, {0.01, 1}, {2, 1}, {nan, 1}, {1, nan}}) {
    for (const char* name : {"top_k/8", "sampled/8"}) {
      EXPECT_EQ(FindCodecForRun(name, low, high).status().code(),
                absl::StatusCode::kInvalidArgument)
          << name << low << high;
    }
    EXPECT_TRUE(FindCodecForRun("dense_fp16", low, high).ok()) << "has no use for them";
  }
  EXPECT_TRUE(FindCodecForRun("top_k/8", 1, 4).ok());
  const auto sampled = FindCodecForRun("sampled", 1, 4);
  EXPECT_EQ(sampled.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(sampled.status().message()), HasSubstr("schedules.temperature"));
}

}  // namespace
}  // namespace distill
