#include "student_worker/training/inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "common/clock/fake_clock.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kSide = 6;
constexpr uint64_t kExamples = 502;
constexpr int64_t kClasses = 3;

std::shared_ptr<const DataSet> Data() {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(kClasses);
  config.set_scale(255);
  config.set_deviation(1);
  std::vector<uint8_t> pixels(kExamples * kSide * kSide);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
  std::vector<int64_t> labels(kExamples, 1);
  auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kUInt8, {kExamples, kSide, kSide}, std::move(pixels)),
      MakeTensorView(ElementType::kInt64, {kExamples}, std::move(labels)), DataSet::Files::kTest);
  EXPECT_TRUE(data.ok()) << data.status();
  return *std::move(data);
}

// With batch normalisation, so that the mode shows in the logits.
std::unique_ptr<Model> ConvNet() {
  v1::ModelConfig config;
  config.set_architecture("conv_net");
  config.add_widths(4);
  config.add_strides(2);
  config.set_batch_norm(true);
  const std::vector<int64_t> dims = {kSide, kSide};
  auto model = Model::Create(config, dims, kClasses, /*seed=*/5);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

std::vector<float> Logits(Model& model, const DataSet& data, const std::vector<uint64_t>& ids) {
  const auto logits = ComputeLogits(model, data, v1::TEST, ids);
  EXPECT_TRUE(logits.ok()) << logits.status();
  const auto values = logits->as<float>();
  return {values.begin(), values.end()};
}

TensorView Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, std::move(dims), std::move(values));
}

TEST(ComputeLogitsTest, RowsAreInTheOrderOfTheIdsAcrossBlocks) {
  const auto data = Data();
  const auto model = ConvNet();
  std::vector<uint64_t> ids(kExamples);
  std::iota(ids.rbegin(), ids.rend(), 0);
  const auto logits = ComputeLogits(*model, *data, v1::TEST, ids);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_THAT(logits->dims, ElementsAre(static_cast<int64_t>(kExamples), kClasses));
  for (const size_t row : {size_t{0}, size_t{499}, size_t{500}, size_t{501}}) {
    const std::vector<float> alone = Logits(*model, *data, {ids[row]});
    for (int64_t c = 0; c < kClasses; ++c) {
      EXPECT_NEAR(logits->as<float>()[row * kClasses + c], alone[c], 1e-5) << row << " " << c;
    }
  }
}

TEST(ComputeLogitsTest, TheModelIsEvaluatedUnchangedAndLeftInItsMode) {
  const auto data = Data();
  const auto model = ConvNet();
  const auto before = *model->Tensors();
  for (const bool training : {true, false}) {
    model->SetTraining(training);
    // In training mode one row would be normalised with the statistics of both.
    const std::vector<float> both = Logits(*model, *data, {0, 1});
    const std::vector<float> one = Logits(*model, *data, {0});
    EXPECT_NEAR(both[0], one[0], 1e-5);
    EXPECT_EQ(model->training(), training);
    const auto missing = ComputeLogits(*model, *data, v1::TEST, std::vector<uint64_t>{kExamples});
    EXPECT_EQ(missing.status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(model->training(), training);
  }
  const auto after = *model->Tensors();
  for (const auto& [name, tensor] : after) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, before.at(name).bytes)) << name;
  }
}

TEST(ComputeLogitsTest, NoIdsGiveNoRows) {
  const auto logits = ComputeLogits(*ConvNet(), *Data(), v1::TEST, {});
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_THAT(logits->dims, ElementsAre(0, kClasses));
  EXPECT_TRUE(Argmax(*logits).empty());
}

TEST(ArgmaxTest, TheFirstOfEqualMaximaWins) {
  EXPECT_THAT(Argmax(Floats({3, 3}, {1, 2, 2, 0, 0, 0, -3, -2, -1})), ElementsAre(1, 0, 2));
}

TEST(AccuracyTest, CountsLabelledExamplesOnly) {
  EXPECT_EQ(Accuracy(std::vector<int32_t>{0, 1, 2, 0}, std::vector<int32_t>{0, 2, -1, 0}), 2.0 / 3);
  EXPECT_EQ(Accuracy(std::vector<int32_t>{0, 1}, std::vector<int32_t>{-1, -1}), 0);
}

TEST(AgreementTest, IsTheShareOfEqualPredictions) {
  EXPECT_EQ(Agreement(std::vector<int32_t>{0, 1, 2, 0}, std::vector<int32_t>{0, 2, 2, 0}), 0.75);
  EXPECT_EQ(Agreement({}, {}), 0);
}

// Each interval between two readings is as long as the next of `intervals` seconds.
class ScriptedClock : public FakeClock {
 public:
  explicit ScriptedClock(std::vector<int> intervals) : intervals_(std::move(intervals)) {}
  absl::Duration MonotonicNow() override {
    if (reading_++ % 2 == 1) Advance(absl::Seconds(intervals_.at(reading_ / 2 - 1)));
    return FakeClock::MonotonicNow();
  }
  int readings() const { return reading_; }

 private:
  const std::vector<int> intervals_;
  int reading_ = 0;
};

TEST(MedianLatencyTest, IsTheMiddleOfThePassesAfterTheWarmUp) {
  const auto model = ConvNet();
  const TensorView example = Floats({1, kSide, kSide}, std::vector<float>(kSide * kSide));
  ScriptedClock odd({9, 1, 5});
  EXPECT_EQ(MedianLatency(*model, example, /*warm_up=*/2, /*passes=*/3, odd).value(),
            absl::Seconds(5));
  EXPECT_EQ(odd.readings(), 6);
  ScriptedClock even({9, 1, 5, 2});
  EXPECT_EQ(MedianLatency(*model, example, /*warm_up=*/0, /*passes=*/4, even).value(),
            absl::Seconds(3.5));
  EXPECT_TRUE(model->training());
}

TEST(MedianLatencyTest, AnotherShapeIsTheModelsError) {
  FakeClock clock;
  EXPECT_EQ(MedianLatency(*ConvNet(), Floats({1, 2}, {1, 2}), 0, 1, clock).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
