#include "teacher_server/model_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/clock/fake_clock.h"
#include "common/digest/sha256.h"
#include "common/executor/manual_executor.h"
#include "common/files/fake_file_system.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "distillation/models/export/export.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/script_modules.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kExamples = 3;

std::string Idx(const std::vector<uint8_t>& dims, const std::vector<uint8_t>& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (const uint8_t dim : dims) bytes += {0, 0, 0, static_cast<char>(dim)};
  bytes.append(values.begin(), values.end());
  return bytes;
}

v1::ExportManifest Manifest() {
  v1::ExportManifest manifest;
  manifest.mutable_model()->set_architecture("mlp");
  manifest.add_example_dims(1);
  manifest.add_example_dims(2);
  manifest.set_classes(2);
  manifest.set_scale(2);
  manifest.set_deviation(1);
  manifest.set_run_id("teacher");
  return manifest;
}

class ModelLoaderTest : public ::testing::Test {
 protected:
  ModelLoaderTest() {
    std::vector<uint8_t> pixels;
    for (uint8_t i = 0; i < kExamples; ++i) pixels.insert(pixels.end(), {i, 2});
    WriteFile("/data/images", Idx({kExamples, 1, 2}, pixels));
    WriteFile("/data/labels", Idx({kExamples}, {0, 1, 0}));
    v1::DataSetConfig* data = order_.mutable_data_set();
    data->set_name("toy");
    data->set_classes(2);
    data->set_scale(2);
    data->set_deviation(1);
    data->mutable_idx()->mutable_train_images()->set_path("/data/images");
    data->mutable_idx()->mutable_train_labels()->set_path("/data/labels");
    order_.set_model("teacher");
    order_.mutable_serving()->set_max_batch_examples(16);
    Export(Manifest());
  }

  void WriteFile(const std::string& path, const std::string& bytes) {
    EXPECT_TRUE(files_.MakeDirectories(ParentDirectory(path)).ok());
    EXPECT_TRUE(files_.Write(path, bytes).ok());
  }
  // logits = (x0 + 2 x1 + 5, 3 x0 + 4 x1 + 6); the order is for this export.
  void Export(const v1::ExportManifest& manifest, const TensorView& kept = {}) {
    const ExportCheck check = {
        MakeTensorView(ElementType::kInt64, {2}, std::vector<int64_t>{40, 42}),
        MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{7, 10, 8, 13}), kept};
    const auto written = WriteExport(
        files_, "/runs/teacher/export", manifest,
        {{"linear.weight",
          MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 4})},
         {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}},
        check);
    ASSERT_TRUE(written.ok()) << written.status();
    order_.set_fingerprint(written->fingerprint());
  }
  absl::StatusOr<Serving> Load(const ModelDirectory& programs = {}) {
    return LoadServing(files_, "/runs", order_, /*incarnation=*/7, &device_, &clock_, programs);
  }
  // What `output` is for the examples 2 and 0.
  std::vector<float> Served(const Serving& serving, const std::string& output) {
    InferenceBatch batch;
    batch.examples = serving.data->Examples(v1::TRAIN, std::vector<uint64_t>{2, 0}, {}, {}).value();
    batch.outputs = {output};
    std::vector<float> served;
    serving.runner->Start(std::move(batch), [&](absl::StatusOr<InferenceResult> result) {
      ASSERT_TRUE(result.ok()) << result.status();
      const auto values = result->outputs.at(0).as<float>();
      served.assign(values.begin(), values.end());
    });
    device_.RunAll();
    return served;
  }
  void ExpectRefused(absl::StatusCode code, const std::string& part) {
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }

  FakeFileSystem files_;
  FakeClock clock_;
  ManualExecutor device_;
  v1::Serve order_;
};

TEST_F(ModelLoaderTest, AnExportIsServedByARunnerThatComputesItsModel) {
  auto serving = Load();
  ASSERT_TRUE(serving.ok()) << serving.status();
  EXPECT_EQ(serving->model.model, "teacher");
  EXPECT_EQ(serving->model.fingerprint, order_.fingerprint());
  EXPECT_EQ(serving->model.data_set_digest, DataSetDigest(order_.data_set()));
  EXPECT_EQ(serving->model.classes, 2u);
  EXPECT_EQ(serving->model.incarnation, 7u);
  EXPECT_THAT(serving->model.example_dims, ElementsAre(1, 2));
  EXPECT_THAT(serving->model.outputs, ElementsAre("logits"));
  EXPECT_EQ(serving->bounds.max_batch_examples(), 16u);

  EXPECT_THAT(Served(*serving, "logits"), ElementsAre(8, 13, 7, 10));  // of (1, 1) and (0, 1)
}

TEST_F(ModelLoaderTest, AnotherExportThanTheRunNamesIsRefused) {
  order_.set_fingerprint("f00d");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "/runs/teacher/export");
}

TEST_F(ModelLoaderTest, TheExamplesThatTheExportKeptAreItsCanaries) {
  EXPECT_TRUE(Load()->canary.ids.empty()) << "it kept none";
  Export(Manifest(), MakeTensorView(ElementType::kFloat32, {1, 1, 2}, std::vector<float>{0, 1}));
  const auto serving = Load();
  ASSERT_TRUE(serving.ok()) << serving.status();
  const CanaryRecord& canary = serving->canary;
  EXPECT_TRUE(canary.Validate().ok());
  EXPECT_EQ(canary.fingerprint, order_.fingerprint());
  EXPECT_EQ(canary.output, "logits");
  EXPECT_THAT(canary.ids, ElementsAre(40));
  EXPECT_THAT(canary.examples.as<float>(), ElementsAre(0, 1));
  EXPECT_THAT(canary.logits.as<float>(), ElementsAre(7, 10));
}

TEST_F(ModelLoaderTest, CanariesThatDoNotFitTheModelAreDataLoss) {
  for (const std::vector<int64_t>& dims :
       std::vector<std::vector<int64_t>>{{1, 2}, {1, 1, 1}, {3, 1, 2}, {0, 1, 2}}) {
    int64_t elements = 1;
    for (const int64_t dim : dims) elements *= dim;
    Export(Manifest(),
           MakeTensorView(ElementType::kFloat32, dims, std::vector<float>(elements, 1)));
    ExpectRefused(absl::StatusCode::kDataLoss, "/runs/teacher/export");
  }
}

TEST_F(ModelLoaderTest, AlteredWeightsAreRefused) {
  const std::string path = "/runs/teacher/export/weights.safetensors";
  std::string bytes = *files_.Read(path, 1 << 20);
  bytes.back() ^= 1;
  WriteFile(path, bytes);
  ExpectRefused(absl::StatusCode::kDataLoss, "/runs/teacher/export");
}

TEST_F(ModelLoaderTest, AModelThatWasNeverExportedIsNotFound) {
  order_.set_model("student");
  ExpectRefused(absl::StatusCode::kNotFound, "/runs/student/export");
}

TEST_F(ModelLoaderTest, ANameThatLeadsOutOfTheRunDirectoryIsNoModel) {
  for (const char* name : {"", ".", "..", "../runs/teacher", "teacher/", "/runs/teacher"}) {
    order_.set_model(name);
    ExpectRefused(absl::StatusCode::kInvalidArgument, "'" + order_.model() + "' is no model name");
  }
}

TEST_F(ModelLoaderTest, AModelOfOtherClassesThanTheDataIsRefused) {
  order_.mutable_data_set()->set_classes(3);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "classes");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "/runs/teacher/export");
}

TEST_F(ModelLoaderTest, AModelOfAnotherShapeThanTheDataIsRefused) {
  WriteFile("/data/images", Idx({kExamples, 2, 1}, std::vector<uint8_t>(2 * kExamples)));
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "[1,2]");
}

TEST_F(ModelLoaderTest, AModelOfAnotherPreprocessingThanTheDataIsRefused) {
  using absl::StatusCode;
  for (const auto& [field, set] :
       std::vector<std::pair<std::string, void (v1::DataSetConfig::*)(double)>>{
           {"scale", &v1::DataSetConfig::set_scale},
           {"mean", &v1::DataSetConfig::set_mean},
           {"deviation", &v1::DataSetConfig::set_deviation}}) {
    const v1::Serve good = order_;
    (order_.mutable_data_set()->*set)(0.5);
    ExpectRefused(StatusCode::kFailedPrecondition, field);
    ExpectRefused(StatusCode::kFailedPrecondition, "/runs/teacher/export");
    order_ = good;
  }
}

TEST_F(ModelLoaderTest, DataThatIsNotThereIsNamed) {
  order_.mutable_data_set()->mutable_idx()->mutable_train_images()->set_path("/data/gone");
  ExpectRefused(absl::StatusCode::kNotFound, "/data/gone");
}

class ProgramLoaderTest : public ModelLoaderTest {
 protected:
  // The linear model that ModelLoaderTest exports, as a program with another output beside.
  ProgramLoaderTest() {
    tensors_ = {
        {"linear.weight",
         MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 4})},
        {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}};
    Write(MlpScript(tensors_, "(logits, logits * 2.0)"));
    v1::ExportManifest manifest = Manifest();
    manifest.clear_model();
    v1::ModelFile& file = *manifest.mutable_model()->mutable_torch_script();
    file.set_file("teacher.pt");
    file.add_outputs("logits");
    file.add_outputs("doubled");
    file.set_sha256(Sha256Hex(program_));
    const ExportCheck check = {
        MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{40}),
        MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{7, 10}),
        MakeTensorView(ElementType::kFloat32, {1, 1, 2}, std::vector<float>{0, 1})};
    const auto written = WriteExport(files_, "/runs/teacher/export", manifest, tensors_, check);
    EXPECT_TRUE(written.ok()) << written.status();
    order_.set_fingerprint(written->fingerprint());
  }

  void Write(const std::string& program) {
    program_ = program;
    EXPECT_TRUE(WriteModelDirectory(files_, "/models", {{"teacher.pt", program}}).ok());
  }
  ModelDirectory Trusted() {
    return ModelDirectory(&files_, {.path = "/models", .allow_executable = true});
  }

  std::map<std::string, TensorView> tensors_;
  std::string program_;
};

TEST_F(ProgramLoaderTest, AProgramIsServedLikeTheArchitectureWithAllItsOutputs) {
  const auto serving = Load(Trusted());
  ASSERT_TRUE(serving.ok()) << serving.status();
  EXPECT_THAT(serving->model.outputs, ElementsAre("logits", "doubled"));
  EXPECT_THAT(Served(*serving, "logits"), ElementsAre(8, 13, 7, 10));
  EXPECT_THAT(Served(*serving, "doubled"), ElementsAre(16, 26, 14, 20));
  EXPECT_EQ(serving->runner->description().head, nullptr);
  EXPECT_THAT(serving->canary.logits.as<float>(), ElementsAre(7, 10));
}

TEST_F(ProgramLoaderTest, ATeacherServerThatMayNotLoadProgramsSaysHowItCould) {
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "--model-dir DIR");
  const absl::Status status = Load(ModelDirectory(&files_, {.path = "/models"})).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("--allow-executable-models"));
  EXPECT_EQ(ErrorIdOf(Annotate(status, "teacher-0")), ErrorId::kProgramsNotAllowed);
}

TEST_F(ProgramLoaderTest, AnotherProgramThanTheExportedOneIsRefused) {
  Write(MlpScript(tensors_, "(logits, logits * 3.0)"));
  const absl::Status status = Load(Trusted()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("but the one asked for is"));
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kProgramChanged);
}

TEST_F(ProgramLoaderTest, AProgramOfOtherClassesIsRefusedBeforeItIsServed) {
  order_.mutable_data_set()->set_classes(3);
  const absl::Status status = Load(Trusted()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("classes"));
}

}  // namespace
}  // namespace distill
