// Held to tests/testdata/vectors.json, and to sums over all classes in double.
#include "distillation/objectives/sparse_terms.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "common/random/test_seed.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/divergence.h"
#include "distillation/labels/synthetic_logits.h"
#include "distillation/objectives/terms.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

at::Tensor Matrix(const std::vector<float>& values, int64_t rows) {
  at::Tensor tensor = at::empty({rows, static_cast<int64_t>(values.size()) / rows}, at::kDouble);
  for (size_t i = 0; i < values.size(); ++i) tensor.data_ptr<double>()[i] = values[i];
  return tensor;
}

SparseLabels Encoded(const std::string& name, const std::vector<float>& logits, int64_t rows,
                     const CodecOptions& options = {}, std::span<const uint64_t> keys = {}) {
  const auto codec = FindCodec(name, options);
  EXPECT_TRUE(codec.ok()) << codec.status();
  const int64_t classes = static_cast<int64_t>(logits.size()) / rows;
  const auto encoded = (*codec)->Encode(
      MakeTensorView(ElementType::kFloat32, {rows, classes}, logits), {.ids = {}, .keys = keys});
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto labels = (*codec)->DecodeSparse(rows, classes, encoded->parameters,
                                             std::as_bytes(std::span(encoded->bytes)), {});
  EXPECT_TRUE(labels.ok()) << labels.status();
  return *labels;
}

struct Result {
  double value = 0;
  std::vector<double> gradient;
};

Result ResultOf(const SparseLabels& labels, const std::vector<float>& student, double temperature) {
  const auto target = SparseTargetAt(labels, temperature);
  EXPECT_TRUE(target.ok()) << target.status();
  at::Tensor logits = Matrix(student, labels.rows).set_requires_grad(true);
  const auto sum = SparseSoftKlSum(logits, *target);
  EXPECT_TRUE(sum.ok()) << sum.status();
  sum->backward();
  const double* const gradient = logits.grad().data_ptr<double>();
  return {sum->item<double>(), {gradient, gradient + student.size()}};
}

std::vector<double> Probabilities(const std::vector<float>& logits, double temperature) {
  std::vector<double> p = LogSoftmax(logits, temperature);
  for (double& value : p) value = std::exp(value);
  return p;
}

TEST(SparseSoftKl, HeadAndTailOfTheVectorInValueAndGradient) {
  const auto all = nlohmann::json::parse(std::ifstream("tests/testdata/vectors.json"));
  for (const auto& v : all["vectors"]) {
    if (v["id"] != "V20") continue;
    const std::vector<float> teacher = v["inputs"]["z_t"], student = v["inputs"]["z_s"];
    CodecOptions options;
    options.max_temperature = 1;
    const Result result = ResultOf(Encoded("top_k/2", teacher, 1, options), student, 1);
    // Of the codec: 2^-13 of a distance.
    EXPECT_NEAR(result.value, v["expected"]["kl_topk_plus_tail"].get<double>(), 1e-5);
    for (size_t c = 0; c < student.size(); ++c) {
      EXPECT_NEAR(result.gradient[c], v["expected"]["grad_topk_plus_tail"][c].get<double>(), 1e-5);
    }
    return;
  }
  FAIL() << "no vector V20";
}

TEST(SparseSoftKl, IsTheSumOverHeadAndTailAtEveryTemperatureAndItsGradientExactOnTheHead) {
  const uint64_t seed = TestSeed();
  constexpr int64_t kClasses = 1000;
  const auto teacher = LanguageModelLogits(seed, 0, kClasses);
  auto student = NormalLogits(seed, 1, kClasses, -7, 2);
  const SparseLabels labels = Encoded("top_k/16", teacher, 1);
  const std::vector<int64_t> ids = labels.ids;
  for (const double t : {1.0, 1.3, 2.0, 4.0, 8.0}) {
    SCOPED_TRACE(t);
    const Result result = ResultOf(labels, student, t);
    const auto log_p = HeadAndTail(teacher, ids, t), log_q = HeadAndTail(student, ids, t);
    const double expected = KlDivergence(log_p, log_q);
    EXPECT_NEAR(result.value / (t * t), expected, 1e-4 * (1 + expected));
    const auto p = Probabilities(teacher, t), q = Probabilities(student, t);
    const double p_tail = std::exp(log_p.back()), q_tail = std::exp(log_q.back());
    size_t next = 0;
    for (size_t c = 0; c < student.size(); ++c) {
      const bool head = next < ids.size() && static_cast<size_t>(ids[next]) == c;
      next += head;
      const double gradient = head ? q[c] - p[c] : q[c] - p_tail * q[c] / q_tail;
      ASSERT_NEAR(result.gradient[c] / t, gradient, 1e-4) << c;
    }
  }
}

TEST(SparseSoftKl, RowsAreSummed) {
  const auto teacher = NormalLogits(3, 0, 60, 0, 2), student = NormalLogits(3, 1, 60, 0, 2);
  const double both = ResultOf(Encoded("top_k/4", teacher, 2), student, 2).value;
  double each = 0;
  for (const size_t begin : {size_t{0}, size_t{30}}) {
    const auto row = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + begin, all.begin() + begin + 30);
    };
    each += ResultOf(Encoded("top_k/4", row(teacher), 1), row(student), 2).value;
  }
  EXPECT_NEAR(both, each, 1e-6 * each);
}

TEST(SparseSoftKl, WithAllClassesInTheHeadItIsTheDenseOne) {
  const auto teacher = NormalLogits(4, 0, 20, 30, 3), student = NormalLogits(4, 1, 20, 0, 3);
  const Result result = ResultOf(Encoded("top_k/50", teacher, 2), student, 3);
  at::Tensor logits = Matrix(student, 2).set_requires_grad(true);
  const auto dense = SoftKlSum(logits, Matrix(teacher, 2), 3);
  dense->backward();
  // The scores are float32.
  EXPECT_NEAR(result.value, dense->item<double>(), 1e-5);
  for (size_t c = 0; c < student.size(); ++c) {
    EXPECT_NEAR(result.gradient[c], logits.grad().data_ptr<double>()[c], 1e-5);
  }
}

TEST(SparseSoftKl, AStudentThatAgreesHasNeitherLossNorGradient) {
  const auto teacher = LanguageModelLogits(5, 0, 500);
  const Result result = ResultOf(Encoded("top_k/8", teacher, 1), teacher, 2);
  EXPECT_GE(result.value, 0);
  EXPECT_LT(result.value, 1e-6);
  for (const double value : result.gradient) ASSERT_NEAR(value, 0, 2e-4);
}

TEST(SparseSoftKl, AStudentWithoutMassInTheTailHasAFiniteGradient) {
  const std::vector<float> teacher = {0, -100, -200, -300}, student = {0, 5, -5000, -6000};
  const Result result = ResultOf(Encoded("top_k/2", teacher, 1), student, 1);
  EXPECT_TRUE(std::isfinite(result.value));
  for (const double value : result.gradient) EXPECT_TRUE(std::isfinite(value));
}

TEST(SparseSoftKl, DrawsGiveTheCrossEntropyAndItsGradientInTheMean) {
  constexpr int64_t kLabels = 200;
  constexpr int kClasses = 20, kDraws = 50;
  // A seed of its own: of twenty classes one in eighteen has one beyond three standard errors.
  const auto teacher = NormalLogits(20, 0, kClasses, 3, 2);
  const auto student = NormalLogits(20, 1, kClasses, 0, 2);
  std::vector<float> teachers, students;
  std::vector<uint64_t> keys;
  for (uint64_t key = 0; key < kLabels; ++key) {
    teachers.insert(teachers.end(), teacher.begin(), teacher.end());
    students.insert(students.end(), student.begin(), student.end());
    keys.push_back(key);
  }
  CodecOptions options;
  options.seed = 20;
  const Result result =
      ResultOf(Encoded("sampled/50", teachers, kLabels, options, keys), students, 1);
  const auto p = Probabilities(teacher, 1), q = Probabilities(student, 1);
  double mean = 0, square = 0;
  for (size_t c = 0; c < kClasses; ++c) {
    mean -= p[c] * std::log(q[c]);
    square += p[c] * std::log(q[c]) * std::log(q[c]);
    double gradient = 0;
    for (size_t r = 0; r < kLabels; ++r) gradient += result.gradient[r * kClasses + c] / kLabels;
    EXPECT_NEAR(gradient, q[c] - p[c], 3 * std::sqrt(p[c] * (1 - p[c]) / (kLabels * kDraws)) + 1e-7)
        << c;
  }
  EXPECT_NEAR(result.value / kLabels, mean,
              3 * std::sqrt((square - mean * mean) / (kLabels * kDraws)));
}

TEST(SparseTargetAt, ATemperatureThatTheLabelsWereNotMadeForIsRefused) {
  const SparseLabels scores = Encoded("top_k/2", {1, 2, 3, 4}, 1);
  EXPECT_EQ(SparseTargetAt(scores, 8.1).status().code(), absl::StatusCode::kOutOfRange);
  const uint64_t key = 0;
  const SparseLabels draws = Encoded("sampled/2", {1, 2, 3, 4}, 1, {}, {&key, 1});
  const auto target = SparseTargetAt(draws, 2);
  EXPECT_EQ(target.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(target.status().message()), HasSubstr("top_k"));
}

TEST(SparseSoftKl, StudentsOfOtherRowsOrClassesAreRefused) {
  const auto target = SparseTargetAt(Encoded("top_k/2", {1, 2, 3, 4}, 1), 1);
  for (const auto& [values, rows] : std::vector<std::pair<std::vector<float>, int64_t>>{
           {{1, 2, 3}, 1}, {{1, 2, 3, 4, 5, 6, 7, 8}, 2}}) {
    EXPECT_EQ(SparseSoftKlSum(Matrix(values, rows), *target).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace distill
