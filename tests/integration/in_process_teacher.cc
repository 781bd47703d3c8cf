#include "tests/integration/in_process_teacher.h"

#include <gtest/gtest.h>

#include <utility>

#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"

namespace distill {
namespace {

std::shared_ptr<const DataSet> Data() {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(InProcessTeacher::kClasses);
  config.set_scale(1);
  config.set_deviation(1);
  constexpr int64_t kRows = InProcessTeacher::kExamples;
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < kRows; ++i) pixels.insert(pixels.end(), {1, static_cast<uint8_t>(i)});
  auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kUInt8, {kRows, 1, 2}, pixels),
      MakeTensorView(ElementType::kInt64, {kRows}, std::vector<int64_t>(kRows, 0)),
      DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

}  // namespace

InProcessTeacher::InProcessTeacher(const InProcessTeacherOptions& options) {
  ModelDescription model{options.fingerprint, options.numerics_class, {1, 2}, kClasses, {"logits"}};
  if (options.head) model.head = FakeRunner::Head(kClasses);
  runner_ = std::make_shared<FakeRunner>(std::move(model), options.mode, 1);
  Serving serving;
  serving.model.model = "teacher";
  serving.model.fingerprint = options.fingerprint;
  serving.model.numerics_class = options.numerics_class;
  serving.model.data_set_digest = "data";
  serving.model.outputs = {"logits"};
  serving.model.codecs = options.codecs;
  serving.model.example_dims = {1, 2};
  serving.model.classes = kClasses;
  serving.runner = runner_;
  serving.data = Data();
  serving.bounds.set_max_batch_examples(options.max_batch_examples);
  server_.Serve(std::move(serving));
  ServerOptions listening;
  listening.listen = "127.0.0.1:0";
  listening.services = {&service_};
  auto rpc = RpcServer::Start(listening);
  EXPECT_TRUE(rpc.ok()) << rpc.status();
  rpc_ = *std::move(rpc);
}

InProcessTeacher::~InProcessTeacher() {
  rpc_.reset();
  timers_.Stop();
  control_.Stop();
  // A test may hold the runner too: its batches end while the server can still be told.
  while (runner_->CompleteOldest()) {
  }
}

void InProcessTeacher::Drain() {
  server_.Drain("told to", [] {});
}

}  // namespace distill
