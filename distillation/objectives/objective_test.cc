#include "distillation/objectives/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "distillation/objectives/sparse_terms.h"
#include "distillation/objectives/terms.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::RunConfig Config(const std::string& text) {
  v1::RunConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

Objective Make(const std::string& text) {
  auto objective = Objective::Create(Config(text).objective());
  EXPECT_TRUE(objective.ok()) << objective.status();
  return *std::move(objective);
}

constexpr char kBoth[] = R"pb(
  objective {
    name: "hard"
    hard_cross_entropy {}
  }
  objective {
    name: "soft"
    soft_kl { teacher: "t" output: "logits" }
  })pb";

at::Tensor Student() { return at::linspace(-1, 2, 12, at::kDouble).view({4, 3}).clone(); }

ObjectiveInputs Inputs() {
  ObjectiveInputs inputs;
  inputs.labels = at::zeros({4}, at::kLong);
  inputs.labels.select(0, 1).fill_(-1);
  inputs.teacher_logits[{"t", "logits"}] = at::linspace(2, -3, 12, at::kDouble).view({4, 3}).sin();
  inputs.global_examples = 4;
  inputs.global_labelled = 3;
  inputs.temperature = 2;
  return inputs;
}

ObjectiveValue Must(absl::StatusOr<ObjectiveValue> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return *std::move(value);
}

TEST(Objective, HardTermsCountLabelledRowsAndSoftTermsAllRows) {
  const Objective objective = Make(kBoth);
  const ObjectiveInputs inputs = Inputs();
  const at::Tensor student = Student();
  const double weights[] = {0.25, 2};
  const ObjectiveValue value = Must(objective.Evaluate(student, inputs, weights));
  const double hard = HardCrossEntropySum(student, inputs.labels)->item<double>() / 3;
  const double soft =
      SoftKlSum(student, inputs.teacher_logits.at({"t", "logits"}), 2)->item<double>() / 4;
  EXPECT_THAT(value.terms, ElementsAre(hard, soft));
  EXPECT_DOUBLE_EQ(value.loss.item<double>(), 0.25 * hard + 2 * soft);
}

TEST(Objective, UnequalSharesOfTwoRanksAddUpToTheWholeBatch) {
  const Objective objective = Make(kBoth);
  const ObjectiveInputs inputs = Inputs();
  const double weights[] = {0.3, 0.7};
  at::Tensor whole = Student().set_requires_grad(true);
  const ObjectiveValue total = Must(objective.Evaluate(whole, inputs, weights));
  total.loss.backward();

  at::Tensor shared = Student().set_requires_grad(true);
  double loss = 0;
  for (const auto& [begin, rows] : {std::pair{0, 1}, std::pair{1, 3}}) {
    ObjectiveInputs share = inputs;
    share.labels = inputs.labels.narrow(0, begin, rows);
    for (auto& [key, logits] : share.teacher_logits) logits = logits.narrow(0, begin, rows);
    const ObjectiveValue value =
        Must(objective.Evaluate(shared.narrow(0, begin, rows), share, weights));
    loss += value.loss.item<double>();
    value.loss.backward();
  }
  EXPECT_NEAR(loss, total.loss.item<double>(), 1e-12);
  EXPECT_TRUE(shared.grad().allclose(whole.grad(), 1e-12, 1e-12));
}

TEST(Objective, TermOfWeightZeroIsReportedButCannotSpoilTheGradient) {
  const Objective objective = Make(kBoth);
  ObjectiveInputs inputs = Inputs();
  at::Tensor student = Student();
  student.select(0, 0).select(0, 1).fill_(-std::numeric_limits<double>::infinity());
  student.set_requires_grad(true);
  const double weights[] = {1, 0};
  const ObjectiveValue value = Must(objective.Evaluate(student, inputs, weights));
  EXPECT_EQ(value.terms[1], std::numeric_limits<double>::infinity());
  value.loss.backward();
  EXPECT_TRUE(student.grad().isfinite().all().item<bool>());
}

TEST(Objective, BatchWithoutLabelsHasNoHardLoss) {
  const Objective objective = Make(R"pb(objective {
                                          name: "hard"
                                          hard_cross_entropy {}
                                        })pb");
  ObjectiveInputs inputs = Inputs();
  inputs.labels.fill_(-1);
  inputs.global_labelled = 0;
  at::Tensor student = Student().set_requires_grad(true);
  const double weights[] = {1};
  const ObjectiveValue value = Must(objective.Evaluate(student, inputs, weights));
  EXPECT_THAT(value.terms, ElementsAre(0));
  value.loss.backward();
  EXPECT_EQ(student.grad().abs().sum().item<double>(), 0);
}

TEST(Objective, AllWeightsZeroStillGivesALossToCallBackwardOn) {
  const Objective objective = Make(kBoth);
  at::Tensor student = Student().set_requires_grad(true);
  const double weights[] = {0, 0};
  const ObjectiveValue value = Must(objective.Evaluate(student, Inputs(), weights));
  value.loss.backward();
  EXPECT_EQ(student.grad().abs().sum().item<double>(), 0);
}

TEST(Objective, TermsSayWhichScheduleScalesThemAndWhomTheyAsk) {
  const Objective objective = Make(R"pb(
    objective {
      name: "a"
      hard_cross_entropy {}
    }
    objective {
      name: "b"
      soft_kl { teacher: "t" output: "logits" }
    }
    objective {
      name: "c"
      logit_mse { teacher: "u" output: "raw" }
      weight: TERM_WEIGHT
    })pb");
  ASSERT_EQ(objective.terms().size(), 3u);
  EXPECT_EQ(objective.terms()[0].weight, v1::TermConfig::HARD_WEIGHT);
  EXPECT_EQ(objective.terms()[1].weight, v1::TermConfig::SOFT_WEIGHT);
  EXPECT_EQ(objective.terms()[2].weight, v1::TermConfig::TERM_WEIGHT);
  EXPECT_EQ(objective.terms()[2].teacher, "u");
  EXPECT_EQ(objective.terms()[2].output, "raw");
}

std::string CreateError(const std::string& text) {
  return std::string(Objective::Create(Config(text).objective()).status().message());
}

TEST(Objective, ConfigurationsThatMakeNoLossAreRefused) {
  EXPECT_THAT(CreateError(""), HasSubstr("no terms"));
  EXPECT_THAT(CreateError("objective { hard_cross_entropy {} }"), HasSubstr("no name"));
  EXPECT_THAT(CreateError("objective { name: \"x\" }"), HasSubstr("term \"x\": it has no kind"));
  EXPECT_THAT(CreateError("objective { name: \"x\" soft_kl { output: \"logits\" } }"),
              HasSubstr("needs a teacher"));
  EXPECT_THAT(CreateError("objective { name: \"x\" hard_cross_entropy {} }"
                          "objective { name: \"x\" hard_cross_entropy {} }"),
              HasSubstr("two terms"));
}

TEST(Objective, InputsThatDoNotFitAreRefused) {
  const Objective objective = Make(kBoth);
  const at::Tensor student = Student();
  const double weights[] = {1, 1};
  const auto error = [&](const ObjectiveInputs& inputs, std::span<const double> w) {
    return std::string(objective.Evaluate(student, inputs, w).status().message());
  };
  EXPECT_THAT(error(Inputs(), std::span(weights, 1)), HasSubstr("1 weights for 2 terms"));
  ObjectiveInputs inputs = Inputs();
  inputs.teacher_logits.clear();
  EXPECT_THAT(error(inputs, weights), HasSubstr("term \"soft\": the batch has no output"));
  inputs = Inputs();
  inputs.labels = at::Tensor();
  EXPECT_THAT(error(inputs, weights), HasSubstr("no labels"));
  inputs = Inputs();
  inputs.global_examples = 3;
  EXPECT_THAT(error(inputs, weights), HasSubstr("does not fit this rank's 4 rows"));
}

TEST(Objective, SparseLabelsGoToTheSoftTermAndAreRefusedWhereAllLogitsAreNeeded) {
  ObjectiveInputs inputs = Inputs();
  inputs.teacher_logits.clear();
  SparseTarget& target = inputs.sparse_targets[{"t", "logits"}];
  target.temperature = 2;
  target.classes = 3;
  target.ids = at::zeros({4, 1}, at::kLong);
  target.scores = at::linspace(-1, 0, 8, at::kFloat).view({4, 2});
  const at::Tensor student = Student();
  const double weights[] = {1, 1};
  const ObjectiveValue value = Must(Make(kBoth).Evaluate(student, inputs, weights));
  EXPECT_EQ(value.terms[1], SparseSoftKlSum(student, target)->item<double>() / 4);
  const Objective mse = Make(R"pb(objective {
                                    name: "mse"
                                    logit_mse { teacher: "t" output: "logits" }
                                  })pb");
  EXPECT_THAT(std::string(mse.Evaluate(student, inputs, {weights, 1}).status().message()),
              HasSubstr("take a dense codec"));
}

}  // namespace
}  // namespace distill
