#include "student_worker/training/trainer_world.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "common/clock/fake_clock.h"
#include "distillation/models/export/manifest.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/gloo_collectives.h"

namespace distill {

std::shared_ptr<const DataSet> Data(int unlabelled) {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(2);
  config.set_validation_examples(4);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<float> rows;
  std::vector<int64_t> labels;
  for (int i = 0; i < 24; ++i) {
    const float sign = i % 2 == 0 ? 1.f : -1.f;
    rows.insert(rows.end(), {sign * (1.f + 0.1f * i), 0.3f * (i % 5), -0.2f * (i % 3)});
    labels.push_back(i < 24 - unlabelled ? i % 2 : -1);
  }
  auto data = DataSet::FromArrays(config, MakeTensorView(ElementType::kFloat32, {24, 3}, rows),
                                  MakeTensorView(ElementType::kInt64, {24}, labels),
                                  DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

TrainerOptions Options(int ranks, uint64_t seed) {
  TrainerOptions options;
  options.seed = seed;
  options.run.set_name("r");
  options.run.mutable_model()->set_architecture("mlp");
  options.run.mutable_model()->add_widths(4);
  v1::TermConfig* hard = options.run.add_objective();
  hard->set_name("hard");
  hard->mutable_hard_cross_entropy();
  options.run.mutable_training()->set_world_size(ranks);
  options.run.mutable_training()->set_global_batch_size(8);
  options.run.mutable_training()->mutable_sgd()->set_momentum(0.9);
  return options;
}

StepValues Values() {
  StepValues values;
  values.temperature = 1;
  values.hard_weight = 1;
  values.soft_weight = 1;
  values.learning_rate = 0.1;
  return values;
}

std::shared_ptr<const DataSet> Pictures(uint32_t validation_examples) {
  v1::DataSetConfig config;
  config.set_name("pictures");
  config.set_classes(2);
  config.set_validation_examples(validation_examples);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  for (int i = 0; i < 24; ++i) {
    for (int at = 0; at < 16; ++at) pixels.push_back(0.1f * ((i * 7 + at * (1 + i % 2)) % 11));
    labels.push_back(i % 2);
  }
  auto data = DataSet::FromArrays(config, MakeTensorView(ElementType::kFloat32, {24, 4, 4}, pixels),
                                  MakeTensorView(ElementType::kInt64, {24}, labels),
                                  DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

TrainerOptions PictureOptions(int ranks) {
  TrainerOptions options = Options(ranks);
  v1::ModelConfig& model = *options.run.mutable_model();
  model.Clear();
  model.set_architecture("conv_net");
  model.add_widths(3);
  model.add_strides(1);
  model.set_batch_norm(true);
  model.set_global_average_pool(true);
  return options;
}

void InWorld(int ranks, const TrainerOptions& options,
             const std::function<void(int rank, Trainer& trainer)>& body,
             const std::shared_ptr<const DataSet>& data) {
  FakeKeyValueStore store;
  FakeClock clock;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      GlooOptions gloo;
      gloo.rank = rank;
      gloo.size = ranks;
      auto collectives = ConnectGloo(gloo, &store);
      ASSERT_TRUE(collectives.ok()) << collectives.status();
      PhaseClock phases(&clock);
      auto trainer = Trainer::Create(options, data, collectives->get(), &phases);
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      body(rank, **trainer);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::string Train(int ranks, const TrainerOptions& options, int64_t steps) {
  std::vector<std::string> digests(ranks);
  InWorld(ranks, options, [&](int rank, Trainer& trainer) {
    for (int64_t step = 0; step < steps; ++step) {
      const auto result = trainer.Step(step, Values(), {});
      ASSERT_TRUE(result.ok()) << result.status();
    }
    ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
    digests[rank] = ModelDigest(*trainer.ModelTensors());
  });
  for (const std::string& digest : digests) EXPECT_EQ(digest, digests[0]);
  return digests[0];
}

}  // namespace distill
