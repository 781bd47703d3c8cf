#include "distillation/labels/divergence.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "gtest/gtest.h"

namespace distill {
namespace {

nlohmann::json V20() {
  const auto all = nlohmann::json::parse(std::ifstream("tests/testdata/vectors.json"));
  for (const nlohmann::json& vector : all["vectors"]) {
    if (vector["id"] == "V20") return vector;
  }
  ADD_FAILURE() << "V20 is not in vectors.json";
  return {};
}

TEST(Divergence, TheFullKlOfTheVectorComesOut) {
  const auto vector = V20();
  const auto teacher = vector["inputs"]["z_t"].get<std::vector<float>>();
  const auto student = vector["inputs"]["z_s"].get<std::vector<float>>();
  EXPECT_NEAR(KlDivergence(LogSoftmax(teacher, 1), LogSoftmax(student, 1)),
              vector["expected"]["kl_full"].get<double>(), 1e-9);
}

TEST(Divergence, HeadAndTailOfTheVectorComeOut) {
  const auto vector = V20();
  const auto teacher = vector["inputs"]["z_t"].get<std::vector<float>>();
  const auto student = vector["inputs"]["z_s"].get<std::vector<float>>();
  const auto& expected = vector["expected"];
  const std::vector<int64_t> head = {0, 1};
  const auto p = HeadAndTail(teacher, head, 1);
  const auto q = HeadAndTail(student, head, 1);
  EXPECT_NEAR(KlDivergence(p, q), expected["kl_topk_plus_tail"].get<double>(), 1e-9);
  EXPECT_NEAR(std::exp(p[2]), expected["tail_mass_teacher"].get<double>(), 1e-9);
  EXPECT_NEAR(std::exp(q[2]), expected["tail_mass_student"].get<double>(), 1e-9);
  EXPECT_NEAR(std::exp(HeadAndTail(teacher, head, 2)[2]),
              expected["retemper"]["true_tail_mass_T2"].get<double>(), 1e-9);
  for (const size_t i : {0, 1}) {
    EXPECT_NEAR(std::exp(q[i]) - std::exp(p[i]), expected["grad_topk_plus_tail"][i].get<double>(),
                1e-9);
  }
}

TEST(Divergence, AHeadOfAllClassesIsTheFullDistribution) {
  const std::vector<float> logits = {3, 1, 2};
  auto log_p = HeadAndTail(logits, std::vector<int64_t>{0, 1, 2}, 2);
  EXPECT_EQ(log_p.back(), -std::numeric_limits<double>::infinity());
  log_p.pop_back();
  const auto full = LogSoftmax(logits, 2);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(log_p[c], full[c], 1e-15);
}

TEST(Divergence, LogSumExpNeitherOverflowsNorLosesAnEmptySum) {
  EXPECT_DOUBLE_EQ(LogSumExp(std::vector<float>{3e38f, 3e38f}, 1), 3e38f + std::log(2.0));
  EXPECT_DOUBLE_EQ(LogSumExp(std::vector<float>{-1000, -1000}, 2), -500 + std::log(2.0));
  EXPECT_EQ(LogSumExp({}, 1), -std::numeric_limits<double>::infinity());
}

TEST(Divergence, LogSoftmaxKeepsItsDigitsUnderALargeOffset) {
  const auto near = LogSoftmax(std::vector<float>{0, 1}, 1);
  const auto far = LogSoftmax(std::vector<float>{1 << 20, (1 << 20) + 1}, 1);
  EXPECT_EQ(near, far);
  EXPECT_NEAR(std::exp(near[0]) + std::exp(near[1]), 1, 1e-15);
}

TEST(Divergence, KlIsNeverNegativeAndAMissingClassCountsNothingOfItsOwn) {
  const std::vector<double> p = {std::log(0.25), std::log(0.75)};
  const std::vector<double> near = {std::log(0.25 + 1e-12), std::log(0.75 - 1e-12)};
  EXPECT_EQ(KlDivergence(p, p), 0);
  EXPECT_GE(KlDivergence(p, near), 0);
  EXPECT_LT(KlDivergence(p, near), 1e-22);
  const std::vector<double> sure = {0, -std::numeric_limits<double>::infinity()};
  EXPECT_NEAR(KlDivergence(sure, p), std::log(4.0), 1e-15);
  EXPECT_EQ(KlDivergence(sure, sure), 0);
  // p is the smallest double and q a billion times e^700 of it.
  const std::vector<double> nearly = {0, -744};
  const std::vector<double> more = {std::log1p(-1e-9), std::log(1e-9)};
  EXPECT_NEAR(KlDivergence(nearly, more), 1e-9, 1e-15);
}

}  // namespace
}  // namespace distill
