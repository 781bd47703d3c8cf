#include "student_worker/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/clock/fake_clock.h"
#include "distillation/models/export/manifest.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/gloo_collectives.h"
#include "student_worker/training/trainer_world.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(TrainerTest, TheLossFallsAndValidationIsLearned) {
  InWorld(1, Options(1), [](int, Trainer& trainer) {
    const double first = trainer.Step(0, Values(), {})->loss;
    double last = first;
    for (int64_t step = 1; step < 40; ++step) last = trainer.Step(step, Values(), {})->loss;
    EXPECT_LT(last, first / 2);
    EXPECT_EQ(*trainer.ValidationAccuracy(), 1.0);
  });
}

TEST(TrainerTest, RanksReportOneLossAndKeepOneModel) {
  std::vector<double> losses(2);
  InWorld(2, Options(2), [&](int rank, Trainer& trainer) {
    for (int64_t step = 0; step < 5; ++step) losses[rank] = trainer.Step(step, Values(), {})->loss;
    EXPECT_TRUE(trainer.AgreeWithOtherRanks().ok());
  });
  EXPECT_EQ(losses[0], losses[1]);
}

TEST(TrainerTest, TwoRanksComputeWhatOneDoes) {
  double one = 0;
  double two = 0;
  InWorld(1, Options(1), [&](int, Trainer& trainer) {
    for (int64_t step = 0; step < 10; ++step) one = trainer.Step(step, Values(), {})->loss;
  });
  InWorld(2, Options(2), [&](int rank, Trainer& trainer) {
    double loss = 0;
    for (int64_t step = 0; step < 10; ++step) loss = trainer.Step(step, Values(), {})->loss;
    if (rank == 0) two = loss;
  });
  EXPECT_NEAR(one, two, 1e-6);
}

TEST(TrainerTest, TheSameSeedGivesTheSameBitsAndAnotherSeedOthers) {
  EXPECT_EQ(Train(2, Options(2), 6), Train(2, Options(2), 6));
  EXPECT_NE(Train(1, Options(1, 3), 6), Train(1, Options(1, 4), 6));
}

TEST(TrainerTest, ARestoredTrainerGoesOnBitForBit) {
  for (const int ranks : {1, 2}) {
    const std::string undisturbed = Train(ranks, Options(ranks), 9);
    std::vector<Safetensors> shared(ranks);
    std::vector<Safetensors> own(ranks);
    InWorld(ranks, Options(ranks), [&](int rank, Trainer& trainer) {
      for (int64_t step = 0; step < 4; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
      ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
      shared[rank] = *trainer.SharedState(4);
      own[rank] = *trainer.RankState(4);
    });
    InWorld(ranks, Options(ranks), [&](int rank, Trainer& trainer) {
      ASSERT_TRUE(trainer.Restore(4, shared[0], own[rank]).ok());
      for (int64_t step = 4; step < 9; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
      ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
      EXPECT_EQ(ModelDigest(*trainer.ModelTensors()), undisturbed) << ranks << " ranks";
    });
  }
}

TEST(TrainerTest, ARestoredTrainerGoesOnBitForBitWithItsRunningStatistics) {
  const TrainerOptions options = PictureOptions(2);
  std::vector<Safetensors> shared(2);
  std::vector<Safetensors> own(2);
  std::string undisturbed;
  InWorld(
      2, options,
      [&](int rank, Trainer& trainer) {
        for (int64_t step = 0; step < 4; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
        shared[rank] = *trainer.SharedState(4);
        own[rank] = *trainer.RankState(4);
        for (int64_t step = 4; step < 9; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
        if (rank == 0) undisturbed = ModelDigest(*trainer.ModelTensors());
      },
      Pictures());
  InWorld(
      2, options,
      [&](int rank, Trainer& trainer) {
        ASSERT_TRUE(trainer.Restore(4, shared[0], own[rank]).ok());
        for (int64_t step = 4; step < 9; ++step) ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
        EXPECT_EQ(ModelDigest(*trainer.ModelTensors()), undisturbed);
      },
      Pictures());
}

// Sets the running mean of this rank.
void SetRunningMean(Trainer& trainer, float value) {
  Safetensors shared = *trainer.SharedState(0);
  TensorView& mean = shared.tensors.at("model/norm1.running_mean");
  mean = MakeTensorView(ElementType::kFloat32, mean.dims, std::vector<float>(3, value));
  ASSERT_TRUE(trainer.Restore(0, shared, *trainer.RankState(0)).ok());
}

TEST(TrainerTest, RunningStatisticsOfTheRanksBecomeTheirMean) {
  InWorld(
      2, PictureOptions(2),
      [](int rank, Trainer& trainer) {
        SetRunningMean(trainer, rank == 0 ? 1.f : 4.f);
        ASSERT_TRUE(trainer.AgreeWithOtherRanks().ok());
        const auto tensors = *trainer.ModelTensors();
        for (const float value : tensors.at("norm1.running_mean").as<float>()) {
          EXPECT_EQ(value, 2.5f);
        }
      },
      Pictures());
}

TEST(TrainerTest, ValidationIsOfTheMeanOfTheRunningStatistics) {
  const auto accuracy = [](int ranks, const std::function<float(int)>& mean) {
    std::vector<double> accuracies(ranks);
    InWorld(
        ranks, PictureOptions(ranks),
        [&](int rank, Trainer& trainer) {
          SetRunningMean(trainer, mean(rank));
          const auto result = trainer.ValidationAccuracy();
          ASSERT_TRUE(result.ok()) << result.status();
          accuracies[rank] = *result;
          const auto tensors = *trainer.ModelTensors();
          for (const float value : tensors.at("norm1.running_mean").as<float>()) {
            EXPECT_EQ(value, 2.5f);
          }
        },
        Pictures(/*validation_examples=*/5));
    return accuracies;
  };
  const double one = accuracy(1, [](int) { return 2.5f; })[0];
  EXPECT_THAT(accuracy(2, [](int rank) { return rank == 0 ? 1.f : 4.f; }),
              ::testing::ElementsAre(one, one));
}

TEST(TrainerTest, ValidationAccuracyIsThatOfAllRanksExamples) {
  double one = 0;
  InWorld(1, Options(1), [&](int, Trainer& trainer) { one = *trainer.ValidationAccuracy(); });
  // Each rank has examples of one class: untrained, it does not get both right.
  EXPECT_EQ(one, 0.5) << "choose another seed";
  InWorld(2, Options(2),
          [&](int, Trainer& trainer) { EXPECT_EQ(*trainer.ValidationAccuracy(), one); });
}

TEST(TrainerTest, ValidationExamplesWithoutALabelDoNotCount) {
  InWorld(
      1, Options(1),
      [](int, Trainer& trainer) {
        for (int64_t step = 0; step < 40; ++step) {
          ASSERT_TRUE(trainer.Step(step, Values(), {}).ok());
        }
        EXPECT_EQ(*trainer.ValidationAccuracy(), 1.0);
      },
      Data(/*unlabelled=*/2));
}

TEST(TrainerTest, UnlabelledExamplesAreCountedOverAllRanks) {
  const auto train = [](int ranks) {
    TrainerOptions options = Options(ranks);
    options.run.mutable_labelled_subset()->set_examples(4);
    std::vector<double> losses;
    std::vector<size_t> terms;
    InWorld(ranks, options, [&](int rank, Trainer& trainer) {
      for (int64_t step = 0; step < 20; ++step) {
        const auto result = trainer.Step(step, Values(), {});
        ASSERT_TRUE(result.ok()) << result.status();
        if (rank != 0) continue;
        losses.push_back(result->loss);
        terms.push_back(result->terms.count("hard"));
      }
    });
    return std::pair(losses, terms);
  };
  const auto [one, one_terms] = train(1);
  const auto [two, two_terms] = train(2);
  EXPECT_EQ(one_terms, two_terms);
  // A step without a label has no such term, rather than a loss of 0.
  EXPECT_THAT(one_terms, ::testing::Contains(0u));
  EXPECT_THAT(one_terms, ::testing::Contains(1u));
  ASSERT_EQ(one.size(), two.size());
  for (size_t step = 0; step < one.size(); ++step) {
    EXPECT_NEAR(one[step], two[step], 1e-5) << "step " << step;
  }
}

TEST(TrainerTest, ACheckpointOfAnotherStepIsRefused) {
  InWorld(1, Options(1), [](int, Trainer& trainer) {
    EXPECT_EQ(trainer.Restore(5, *trainer.SharedState(4), *trainer.RankState(5)).code(),
              absl::StatusCode::kDataLoss);
    EXPECT_EQ(trainer.Restore(5, *trainer.SharedState(5), *trainer.RankState(4)).code(),
              absl::StatusCode::kDataLoss);
  });
}

TEST(TrainerTest, ModelsThatDifferBetweenRanksAreNoticed) {
  std::vector<absl::Status> statuses(2);
  InWorld(2, Options(2), [&](int rank, Trainer& trainer) {
    Safetensors shared = *trainer.SharedState(0);
    if (rank == 1) {
      TensorView& bias = shared.tensors.at("model/linear.bias");
      bias = MakeTensorView(ElementType::kFloat32, bias.dims, std::vector<float>{9, 9});
    }
    ASSERT_TRUE(trainer.Restore(0, shared, *trainer.RankState(0)).ok());
    statuses[rank] = trainer.AgreeWithOtherRanks();
  });
  EXPECT_EQ(statuses[0].code(), absl::StatusCode::kInternal);
  EXPECT_EQ(statuses[1].code(), absl::StatusCode::kInternal);
}

TEST(TrainerTest, SoftLabelsTeachWithoutHardOnes) {
  TrainerOptions options = Options(1);
  options.run.mutable_labelled_subset()->set_examples(2);
  v1::TermConfig* soft = options.run.add_objective();
  soft->set_name("soft");
  soft->mutable_soft_kl()->set_teacher("t");
  soft->mutable_soft_kl()->set_output("logits");
  soft->set_weight(v1::TermConfig::SOFT_WEIGHT);
  const auto data = Data();
  // As logits, and as hidden states of one feature whose head makes the same logits.
  const auto head = std::make_shared<const LabelHead>(
      LabelHead{MakeTensorView(ElementType::kFloat32, {2, 1}, std::vector<float>{4, -4}),
                MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{0, 0})});
  std::vector<double> losses[2];
  for (const bool hidden : {false, true})
    InWorld(1, options, [&](int, Trainer& trainer) {
      StepValues values = Values();
      values.hard_weight = 0;
      for (int64_t step = 0; step < 40; ++step) {
        const auto slice = *trainer.Slice(step);
        std::vector<float> logits, states;
        for (const ExampleView& view : slice) {
          const float sign = data->labels(v1::TRAIN)[view.example_id] == 0 ? 1.f : -1.f;
          logits.insert(logits.end(), {4 * sign, -4 * sign});
          states.push_back(sign);
        }
        const auto rows = static_cast<int64_t>(slice.size());
        SoftLabels labels = MakeTensorView(ElementType::kFloat32, {rows, 2}, logits);
        if (hidden) {
          labels = HiddenLabels{MakeTensorView(ElementType::kFloat32, {rows, 1}, states), head};
        }
        const auto result = trainer.Step(step, values, {{{"t", "logits"}, labels}});
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->terms.count("soft"), 1u);
        losses[hidden].push_back(result->loss);
      }
      EXPECT_EQ(*trainer.ValidationAccuracy(), 1.0);
    });
  EXPECT_EQ(losses[false], losses[true]);
}

TEST(TrainerTest, ADivergedLossNamesItsTermAndStep) {
  InWorld(1, Options(1), [](int, Trainer& trainer) {
    StepValues values = Values();
    values.learning_rate = 1e30;
    absl::Status status;
    for (int64_t step = 0; step < 20 && status.ok(); ++step) {
      status = trainer.Step(step, values, {}).status();
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr("step "));
  });
}

}  // namespace
}  // namespace distill
