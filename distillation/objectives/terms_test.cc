// Held to tests/testdata/vectors.json, computed without any tensor library.
#include "distillation/objectives/terms.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace distill {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using Rows = std::vector<std::vector<double>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const json& Vector(const std::string& id) {
  static const json all = json::parse(std::ifstream("tests/testdata/vectors.json"));
  for (const json& vector : all["vectors"]) {
    if (vector["id"] == id) return vector;
  }
  ADD_FAILURE() << "no vector " << id;
  return all;
}

// The file's figures have 10 decimals and its tolerance is 1e-8, both ways.
void ExpectClose(double actual, double expected, double tolerance = 1e-8) {
  EXPECT_NEAR(actual, expected, tolerance + tolerance * std::abs(expected));
}

at::Tensor Matrix(const Rows& rows, at::ScalarType type = at::kDouble) {
  at::Tensor tensor = at::empty(
      {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, at::kDouble);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < rows[i].size(); ++j) {
      tensor.select(0, static_cast<int64_t>(i))
          .select(0, static_cast<int64_t>(j))
          .fill_(rows[i][j]);
    }
  }
  return tensor.to(type);
}

at::Tensor Labels(const std::vector<int64_t>& values) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  for (size_t i = 0; i < values.size(); ++i) {
    tensor.select(0, static_cast<int64_t>(i)).fill_(values[i]);
  }
  return tensor;
}

at::Tensor Must(absl::StatusOr<at::Tensor> tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return *std::move(tensor);
}

double At(const at::Tensor& tensor, int64_t i, int64_t j) {
  return tensor.select(0, i).select(0, j).item<double>();
}

void ExpectRows(const at::Tensor& actual, const Rows& expected, double tolerance = 1e-8) {
  ASSERT_EQ(actual.size(0), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    for (size_t j = 0; j < expected[i].size(); ++j) {
      ExpectClose(At(actual, static_cast<int64_t>(i), static_cast<int64_t>(j)), expected[i][j],
                  tolerance);
    }
  }
}

TEST(TemperedLogProbabilities, FollowTheTemperature) {
  const json& v = Vector("V01");
  const at::Tensor logits = Matrix({v["inputs"]["logits"].get<std::vector<double>>()});
  ExpectRows(Must(TemperedLogProbabilities(logits, 1)), {v["expected"]["log_probs_T1"]});
  ExpectRows(Must(TemperedLogProbabilities(logits, 100)).exp(), {v["expected"]["probs_T100"]});
  ExpectRows(Must(TemperedLogProbabilities(logits, 1000)).exp(), {v["expected"]["probs_T1000"]});
  ExpectRows(Must(TemperedLogProbabilities(logits, 1e6)).exp(), {v["expected"]["probs_T1e6"]});
  const at::Tensor log_p = Must(TemperedLogProbabilities(logits, 100));
  ExpectClose(-(log_p.exp() * log_p).sum().item<double>(), v["expected"]["entropy_T100"]);
}

TEST(TemperedLogProbabilities, KeepInFloat32WhatProbabilitiesWouldLose) {
  const at::Tensor log_p = Must(TemperedLogProbabilities(Matrix({{100, 10, 1}}, at::kHalf), 1));
  EXPECT_EQ(log_p.scalar_type(), at::kFloat);
  ExpectRows(log_p, {{0, -90, -99}});
}

TEST(SoftKl, OneRowOfTheHintonLossInValueAndGradient) {
  const json& v = Vector("V02");
  const json& in = v["inputs"];
  at::Tensor student = Matrix({in["z_s"]}).set_requires_grad(true);
  const at::Tensor teacher = Matrix({in["z_t"]});
  const at::Tensor kl = Must(SoftKlSum(student, teacher, in["T"]));
  const at::Tensor ce = Must(HardCrossEntropySum(student, Labels({in["label"]})));
  ExpectClose(kl.item<double>(), v["expected"]["T2_kl"]);
  ExpectClose(ce.item<double>(), v["expected"]["hard_ce"]);
  const at::Tensor total = kl * in["kd_weight"].get<double>() + ce * in["ce_weight"].get<double>();
  ExpectClose(total.item<double>(), v["expected"]["total"]);
  total.backward();
  ExpectRows(student.grad(), {v["expected"]["grad_z_s"]});
}

TEST(SoftKl, ClassMaskedByTheTeacherAddsNothingAndNoNan) {
  const json& v = Vector("V02");
  std::vector<double> masked = v["inputs"]["z_t"];
  masked[2] = -kInfinity;
  at::Tensor student = Matrix({v["inputs"]["z_s"]}).set_requires_grad(true);
  const at::Tensor kl = Must(SoftKlSum(student, Matrix({masked}), 2));
  ExpectClose(kl.item<double>() / 4, v["expected"]["kl_when_teacher_logit_2_is_minus_inf"]);
  kl.backward();
  // T (q - p), with p = softmax of the two classes left.
  const double p0 = 1 / (1 + std::exp(-0.5));
  const std::vector<double> q = v["expected"]["p_s"];
  ExpectRows(student.grad(), {{2 * (q[0] - p0), 2 * (q[1] - (1 - p0)), 2 * q[2]}});
}

TEST(SoftKl, ClassMaskedByBothIsAsIfItWereNotThere) {
  at::Tensor student = Matrix({{1, 2, -kInfinity}}).set_requires_grad(true);
  at::Tensor fewer = Matrix({{1, 2}}).set_requires_grad(true);
  const at::Tensor kl = Must(SoftKlSum(student, Matrix({{2, 1, -kInfinity}}), 2));
  const at::Tensor fewer_kl = Must(SoftKlSum(fewer, Matrix({{2, 1}}), 2));
  ExpectClose(kl.item<double>(), fewer_kl.item<double>(), 1e-14);
  kl.backward();
  fewer_kl.backward();
  ExpectRows(student.grad(), {{At(fewer.grad(), 0, 0), At(fewer.grad(), 0, 1), 0}}, 1e-14);
}

TEST(SoftKl, ClassTheStudentCannotGiveMakesItInfinite) {
  EXPECT_EQ(Must(SoftKlSum(Matrix({{1, -kInfinity}}), Matrix({{1, 1}}), 1)).item<double>(),
            kInfinity);
}

TEST(SoftKl, SumOverRowsDividedByRowsIsTheBatchMean) {
  const json& v = Vector("V03");
  at::Tensor student = Matrix(v["inputs"]["z_s"]).set_requires_grad(true);
  const at::Tensor sum = Must(SoftKlSum(student, Matrix(v["inputs"]["z_t"]), v["inputs"]["T"]));
  ExpectClose(sum.item<double>(), v["expected"]["T2_sum"]);
  const at::Tensor mean = sum / 2;
  ExpectClose(mean.item<double>(), v["expected"]["T2_batchmean"]);
  mean.backward();
  ExpectRows(student.grad(), v["expected"]["grad_batchmean"]);
}

TEST(SoftKl, AtHighTemperatureItIsTheCentredSquaredDifference) {
  const json& v = Vector("V04");
  for (double temperature : {1.0, 10.0, 100.0, 1000.0}) {
    const std::string key = "T" + std::to_string(static_cast<int>(temperature));
    at::Tensor student = Matrix({v["inputs"]["z_s"]}).set_requires_grad(true);
    const at::Tensor kl = Must(SoftKlSum(student, Matrix({v["inputs"]["z_t"]}), temperature));
    ExpectClose(kl.item<double>(), v["expected"]["T2_kl"][key]);
    kl.backward();
    const json& gradients = v["expected"]["gradient_T2_kl"];
    if (gradients.contains(key)) ExpectRows(student.grad(), {gradients[key]});
  }
}

TEST(SoftKl, IsExactNearAgreementInFloat32) {
  // Logits 1e-4 apart: the divergence, 3.7e-9, is far below the rounding of its
  // naive summands.
  const at::Tensor teacher = Matrix({{2, 1, 0.1}});
  const at::Tensor student = Matrix({{2.0001, 1, 0.1}});
  const double exact = Must(SoftKlSum(student, teacher, 1)).item<double>();
  const at::Tensor rounded = Must(SoftKlSum(student.to(at::kFloat), teacher.to(at::kFloat), 1));
  EXPECT_EQ(rounded.scalar_type(), at::kFloat);
  EXPECT_NEAR(rounded.item<double>(), exact, 0.01 * exact);
}

TEST(SoftKl, IsNeverNegativeAndZeroForEqualLogits) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    at::Generator random = at::make_generator<at::CPUGeneratorImpl>(seed);
    const at::Tensor teacher = at::zeros({8, 10}, at::kFloat).uniform_(0, 10, random);
    const at::Tensor student = teacher + at::zeros({8, 10}, at::kFloat).uniform_(0, 1e-5, random);
    EXPECT_GE(Must(SoftKlSum(student, teacher, 3)).item<double>(), 0);
    EXPECT_EQ(Must(SoftKlSum(teacher, teacher, 3)).item<double>(), 0);
  }
}

TEST(SoftKl, StaysFiniteInFloat32WhereRatiosOfProbabilitiesOverflow) {
  at::Tensor student = Matrix({{0, 300, 0}}, at::kFloat).set_requires_grad(true);
  const at::Tensor kl = Must(SoftKlSum(student, Matrix({{300, 0, 10}}, at::kFloat), 1));
  ExpectClose(kl.item<double>(), 300, 1e-6);
  kl.backward();
  ExpectRows(student.grad(), {{-1, 1, 0}}, 1e-6);
}

TEST(SoftKl, TeacherReceivesNoGradient) {
  at::Tensor student = Matrix({{1, 2}}).set_requires_grad(true);
  at::Tensor teacher = Matrix({{2, 1}}).set_requires_grad(true);
  (Must(SoftKlSum(student, teacher, 1)) +
   Must(LogitMseSum(student, teacher, v1::TermConfig::CLASS_SUM)))
      .backward();
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(LogitMse, BothReductionsInValueAndTheMeanInGradient) {
  const json& v = Vector("V05");
  const json& in = v["inputs"];
  const json& out = v["expected"];
  at::Tensor student = Matrix(in["z_s"]).set_requires_grad(true);
  const at::Tensor teacher = Matrix(in["z_t"]);
  const at::Tensor mean =
      Must(LogitMseSum(student, teacher, v1::TermConfig::REDUCTION_UNSPECIFIED)) / 2;
  const at::Tensor class_sum = Must(LogitMseSum(student, teacher, v1::TermConfig::CLASS_SUM)) / 2;
  const at::Tensor ce = Must(HardCrossEntropySum(student, Labels(in["labels"]))) / 2;
  ExpectClose(mean.item<double>(), out["mse_mean_over_elements"]);
  ExpectClose(class_sum.item<double>(), out["mse_sum_over_classes_mean_over_batch"]);
  ExpectClose(ce.item<double>(), out["ce"]);
  const double a = in["a"];
  ExpectClose((class_sum * (1 - a) + ce * a).item<double>(), out["total_sum_per_sample"]);
  const at::Tensor total = mean * (1 - a) + ce * a;
  ExpectClose(total.item<double>(), out["total_element_mean"]);
  total.backward();
  ExpectRows(student.grad(), out["grad_element_mean"]);
}

TEST(LogitMse, ClassMaskedByTheTeacherAddsNothing) {
  at::Tensor student = Matrix({{1, 2, 3}}).set_requires_grad(true);
  const at::Tensor sum =
      Must(LogitMseSum(student, Matrix({{3, 2, -kInfinity}}), v1::TermConfig::CLASS_SUM));
  EXPECT_EQ(sum.item<double>(), 4);
  sum.backward();
  ExpectRows(student.grad(), {{-4, 0, 0}});
}

TEST(HardCrossEntropy, RowsWithoutALabelAddNothing) {
  const Rows logits = {{1, 2, 0.5}, {5, 0, 0}};
  at::Tensor student = Matrix(logits).set_requires_grad(true);
  const at::Tensor sum = Must(HardCrossEntropySum(student, Labels({0, -1})));
  ExpectClose(sum.item<double>(),
              Must(HardCrossEntropySum(Matrix({logits[0]}), Labels({0}))).item<double>());
  sum.backward();
  EXPECT_EQ(student.grad().select(0, 1).abs().sum().item<double>(), 0);
  EXPECT_EQ(Must(HardCrossEntropySum(Matrix(logits), Labels({-1, -1}))).item<double>(), 0);
}

TEST(Terms, WhatDoesNotFitIsRefused) {
  const at::Tensor two = Matrix({{1, 2}});
  const auto error = [](const absl::StatusOr<at::Tensor>& result) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(result.status().message());
  };
  EXPECT_THAT(error(SoftKlSum(two, Matrix({{1, 2, 3}}), 1)), HasSubstr("[1,2]"));
  EXPECT_THAT(error(SoftKlSum(two, two, 0)), HasSubstr("temperature is 0"));
  EXPECT_THAT(error(SoftKlSum(two, two, std::nan(""))), HasSubstr("temperature is nan"));
  EXPECT_THAT(error(HardCrossEntropySum(two, Labels({2}))), HasSubstr("below 2"));
  EXPECT_THAT(error(HardCrossEntropySum(two, Labels({-2}))), HasSubstr("from -2"));
  EXPECT_THAT(error(HardCrossEntropySum(two, Labels({0, 0}))), HasSubstr("int64 [1]"));
  EXPECT_THAT(error(LogitMseSum(Labels({1}), two, v1::TermConfig::CLASS_SUM)),
              HasSubstr("student logits are Long [1]"));
}

}  // namespace
}  // namespace distill
