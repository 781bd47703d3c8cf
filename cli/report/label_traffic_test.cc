#include "cli/report/label_traffic.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace distill {
namespace {

class LabelTrafficTest : public ::testing::Test {
 protected:
  LabelTrafficTest() {
    plan_.add_data_sets()->set_name("other");
    v1::DataSetConfig* data = plan_.add_data_sets();
    data->set_name("data");
    data->set_classes(1000);
    run_.set_data_set("data");
    run_.mutable_training()->set_steps(100);
    run_.add_objective()->mutable_soft_kl();
    SetTemperature(2);
    run_.mutable_labels()->add_codecs("dense_fp32");
    run_.mutable_labels()->add_codecs("log_prob_u8");
  }
  void SetTemperature(double value) {
    v1::Schedule* schedule = run_.mutable_schedules()->mutable_temperature();
    schedule->clear_pieces();
    auto* piece = schedule->add_pieces();
    piece->set_end_step(100);
    piece->mutable_constant()->set_value(value);
  }
  LabelTraffic Of(const std::string& first_codec, uint32_t classes = 1000) {
    run_.mutable_labels()->set_codecs(0, first_codec);
    plan_.mutable_data_sets(1)->set_classes(classes);
    return TrafficOf(plan_, run_);
  }

  v1::PlanConfig plan_;
  v1::RunConfig run_;
};

TEST_F(LabelTrafficTest, ItIsOfTheFirstCodecAndTheClassesOfTheRunsData) {
  const LabelTraffic traffic = Of("dense_fp32");
  EXPECT_EQ(traffic.codec, "dense_fp32");
  EXPECT_EQ(traffic.bytes, 4000u);
  EXPECT_EQ(Of("dense_fp16").bytes, 2004u);
}

TEST_F(LabelTrafficTest, OfManyClassesTheHeadIsSmallest) {
  const LabelTraffic traffic = Of("dense_fp32");
  EXPECT_EQ(traffic.smaller, "top_k/16");
  EXPECT_EQ(traffic.smaller_bytes, 96u);
}

TEST_F(LabelTrafficTest, OfFewClassesHalfOfTheBitsAre) {
  const LabelTraffic traffic = Of("dense_fp32", 30);
  EXPECT_EQ(traffic.smaller, "dense_fp16");
  EXPECT_EQ(traffic.smaller_bytes, 64u);
}

TEST_F(LabelTrafficTest, WhatSavesLessThanAFifthIsNotNamed) {
  EXPECT_EQ(Of("dense_fp32", 3).smaller, "");  // 12 bytes and 10
  EXPECT_EQ(Of("dense_fp32", 4).smaller, "dense_fp16") << "16 bytes and 12";
  EXPECT_EQ(Of("top_k/16").smaller, "");
  EXPECT_EQ(Of("log_prob_u8", 30).smaller, "");
}

TEST_F(LabelTrafficTest, ATermOnAllLogitsLeavesDenseCodecsOnly) {
  run_.add_objective()->mutable_logit_mse();
  EXPECT_EQ(Of("dense_fp32").smaller, "dense_fp16");
  EXPECT_EQ(Of("dense_fp16").smaller, "");
}

TEST_F(LabelTrafficTest, SoDoesATemperatureThatTheHeadCannotServe) {
  SetTemperature(33);
  EXPECT_EQ(Of("dense_fp32").smaller, "dense_fp16");
}

TEST_F(LabelTrafficTest, NothingIsKnownOfHiddenStatesNorWithoutCodecOrData) {
  EXPECT_EQ(Of("hidden_fp16").codec, "");
  EXPECT_EQ(Of("no such codec").codec, "");
  run_.set_data_set("nowhere");
  EXPECT_EQ(Of("dense_fp32").codec, "");
  run_.set_data_set("data");
  run_.mutable_labels()->clear_codecs();
  EXPECT_EQ(TrafficOf(plan_, run_).codec, "");
}

}  // namespace
}  // namespace distill
