#include "student_worker/worker/diverged_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/fake_file_system.h"
#include "common/safetensors/safetensors.h"
#include "common/status/error_id.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/sparse_labels.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Pair;

constexpr char kPath[] = "/run/diverged.rank0.safetensors";

// Example i is (10 i, 10 i + 1) with the label i.
std::shared_ptr<const DataSet> Data() {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(4);
  config.set_scale(1);
  config.set_deviation(1);
  return DataSet::FromArrays(
             config,
             MakeTensorView(ElementType::kUInt8, {4, 1, 2},
                            std::vector<uint8_t>{0, 1, 10, 11, 20, 21, 30, 31}),
             MakeTensorView(ElementType::kInt64, {4}, std::vector<int64_t>{0, 1, 2, 3}),
             DataSet::Files::kTraining)
      .value();
}

DivergedStep Step() {
  DivergedStep step;
  step.step = 17;
  step.slice = {{.example_id = 3}, {.example_id = 1}};
  step.values.temperature = 2.5;
  return step;
}

Safetensors Written(const DivergedStep& step) {
  FakeFileSystem files;
  EXPECT_EQ(files.MakeDirectories("/run"), absl::OkStatus());
  v1::World world;
  world.set_run_id("r");
  world.set_seed(5);
  v1::TeacherFleet* teacher = world.add_teachers();
  teacher->set_role("t");
  teacher->set_fingerprint("f00d");
  EXPECT_EQ(WriteDivergedBatch(files, kPath, world, {}, *Data(), step), absl::OkStatus());
  auto read = ReadSafetensors(files, kPath, 1 << 20);
  EXPECT_TRUE(read.ok()) << read.status();
  return *std::move(read);
}

template <typename T>
std::vector<T> Numbers(const TensorView& tensor) {
  const std::span<const T> numbers = tensor.as<T>();
  return {numbers.begin(), numbers.end()};
}

TEST(DivergedBatch, HasTheExamplesAsTheStudentSawThemInTheirOrder) {
  const Safetensors batch = Written(Step());
  EXPECT_THAT(batch.tensors.at("inputs").dims, ElementsAre(2, 1, 2));
  EXPECT_THAT(Numbers<float>(batch.tensors.at("inputs")), ElementsAre(30, 31, 10, 11));
  EXPECT_THAT(Numbers<int64_t>(batch.tensors.at("ids")), ElementsAre(3, 1));
  EXPECT_THAT(Numbers<int64_t>(batch.tensors.at("view_seeds")), ElementsAre(0, 0));
  EXPECT_THAT(Numbers<int64_t>(batch.tensors.at("hard_labels")), ElementsAre(3, 1));
}

TEST(DivergedBatch, SaysWhichStepOfWhichRunAndWhatItsTeachersWere) {
  EXPECT_THAT(Written(Step()).metadata,
              IsSupersetOf({Pair("run", "r"), Pair("step", "17"), Pair("seed", "5"),
                            Pair("temperature", "2.5"), Pair("teacher.t", "f00d")}));
}

TEST(DivergedBatch, HasTheTeachersDenseLabels) {
  DivergedStep step = Step();
  step.labels[{"t", "logits"}] =
      MakeTensorView(ElementType::kFloat32, {2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(Numbers<float>(Written(step).tensors.at("labels.t.logits")),
              ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(DivergedBatch, HasEachPartOfSparseLabels) {
  SparseLabels sparse;
  sparse.rows = 2;
  sparse.classes = 4;
  sparse.width = 1;
  sparse.ids = {2, 0};
  sparse.shift = {9, 8};
  sparse.values = {0, -1};
  sparse.tail_nodes = 2;
  sparse.tail = {-1, -2, -3, -4};
  DivergedStep step = Step();
  step.labels[{"t", "logits"}] = std::make_shared<const SparseLabels>(sparse);
  const Safetensors batch = Written(step);
  EXPECT_THAT(batch.tensors.at("labels.t.logits.ids").dims, ElementsAre(2, 1));
  EXPECT_THAT(Numbers<int64_t>(batch.tensors.at("labels.t.logits.ids")), ElementsAre(2, 0));
  EXPECT_THAT(Numbers<float>(batch.tensors.at("labels.t.logits.values")), ElementsAre(0, -1));
  EXPECT_THAT(Numbers<float>(batch.tensors.at("labels.t.logits.shift")), ElementsAre(9, 8));
  EXPECT_THAT(batch.tensors.at("labels.t.logits.tail").dims, ElementsAre(2, 2));
  EXPECT_EQ(batch.tensors.count("labels.t.logits.weights"), 0u);
}

TEST(IsDivergence, IsWhatIsNotFiniteAndNothingElse) {
  const absl::Status bare = absl::InternalError("x");
  EXPECT_TRUE(IsDivergence(WithErrorId(bare, ErrorId::kLossNotFinite)));
  EXPECT_TRUE(IsDivergence(WithErrorId(bare, ErrorId::kGradientNotFinite)));
  EXPECT_FALSE(IsDivergence(WithErrorId(bare, ErrorId::kRankLost)));
  EXPECT_FALSE(IsDivergence(bare));
  EXPECT_FALSE(IsDivergence(absl::OkStatus()));
}

}  // namespace
}  // namespace distill
