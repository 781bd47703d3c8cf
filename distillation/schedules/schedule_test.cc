#include "distillation/schedules/schedule.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

v1::Schedule Parse(const std::string& text) {
  v1::Schedule schedule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &schedule)) << text;
  return schedule;
}

v1::Schedule OnePiece(int64_t begin, int64_t end, const std::string& shape) {
  return Parse(absl::StrCat("pieces { begin_step: ", begin, " end_step: ", end, " ", shape, " }"));
}

nlohmann::json Expected(const std::string& name) {
  std::ifstream file("tests/testdata/vectors.json");
  const nlohmann::json all = nlohmann::json::parse(file);
  for (const nlohmann::json& vector : all["vectors"]) {
    if (vector["id"] == "V15") return vector["expected"].at(name);
  }
  ADD_FAILURE() << "V15 is not in vectors.json";
  return {};
}

// Every figure that the vector names, with a sign and an argument of its own.
void ExpectVector(
    const std::string& name, const v1::Schedule& schedule, double sign = 1,
    const std::function<int64_t(int64_t)>& to_step = [](int64_t t) { return t; }) {
  const auto function = ScheduleFunction::Create(schedule, ScheduleKind::kTermWeight);
  ASSERT_TRUE(function.ok()) << function.status();
  const nlohmann::json expected = Expected(name);
  ASSERT_GT(expected.size(), 2u);
  for (const auto& [t, value] : expected.items()) {
    EXPECT_NEAR(sign * function->At(to_step(std::stoll(t))), value.get<double>(), 1e-8)
        << name << " at " << t;
  }
}

TEST(Schedule, AgreesWithTheVectorsOfEachShape) {
  ExpectVector("linear", OnePiece(0, 100, "linear { from: 0.9 to: 0.1 }"));
  ExpectVector("cosine", OnePiece(0, 100, "cosine { from: 0.9 to: 0.1 }"));
  ExpectVector("exponential", OnePiece(0, 100, "exponential { from: 0.9 to: 0.1 }"));
  ExpectVector("step", OnePiece(0, 100, "step { from: 0.9 factor: 0.5 every_steps: 30 }"));
  ExpectVector("temperature_geometric_20_to_1", OnePiece(0, 10, "exponential { from: 20 to: 1 }"));
}

TEST(Schedule, ExpressesThePublishedSchedulesOfTheVectors) {
  ExpectVector("fitnets_lambda_start5_saturate400_4_to_1",
               OnePiece(4, 400, "linear { from: 4 to: 1 }"));
  ExpectVector("bam_lambda_total200", OnePiece(0, 200, "linear { from: 0 to: 1 }"));
  ExpectVector("dkd_warmup20", OnePiece(0, 20, "linear { from: 0 to: 1 }"));
  ExpectVector("ctkd_lambda_cosine", OnePiece(0, 10, "cosine { from: 0 to: 1 }"), -1);
  ExpectVector("ctkd_lambda_linear_official", OnePiece(0, 9, "linear { from: 0 to: 0.9 }"), -1);
  ExpectVector("annealing_kd_phi_tau10", OnePiece(0, 9, "linear { from: 0.1 to: 1 }"), 1,
               [](int64_t temperature) { return 10 - temperature; });
}

TEST(Schedule, HoldsItsEndValuesOutsideThePiecesExactly) {
  for (const char* shape : {"linear", "cosine", "exponential", "polynomial"}) {
    const std::string power = shape == std::string("polynomial") ? " power: 2" : "";
    const auto function = ScheduleFunction::Create(
        OnePiece(7, 10, absl::StrCat(shape, " { from: 0.7 to: 0.1", power, " }")),
        ScheduleKind::kMixWeight);
    ASSERT_TRUE(function.ok()) << function.status();
    for (int64_t step :
         {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{6}, int64_t{7}}) {
      EXPECT_EQ(function->At(step), 0.7) << shape << " at " << step;
    }
    for (int64_t step : {int64_t{10}, int64_t{11}, std::numeric_limits<int64_t>::max()}) {
      EXPECT_EQ(function->At(step), 0.1) << shape << " at " << step;
    }
  }
}

TEST(Schedule, PolynomialOfPowerOneIsLinearAndOfPowerTwoBendsEarly) {
  const auto one = ScheduleFunction::Create(OnePiece(0, 4, "polynomial { from: 1 to: 0 power: 1 }"),
                                            ScheduleKind::kMixWeight);
  const auto two = ScheduleFunction::Create(OnePiece(0, 4, "polynomial { from: 1 to: 0 power: 2 }"),
                                            ScheduleKind::kMixWeight);
  EXPECT_DOUBLE_EQ(one->At(1), 0.75);
  EXPECT_DOUBLE_EQ(two->At(1), 0.5625);
}

TEST(Schedule, APieceOfNoLengthIsAStep) {
  const auto function = ScheduleFunction::Create(OnePiece(5, 5, "linear { from: 1 to: 0 }"),
                                                 ScheduleKind::kMixWeight);
  EXPECT_EQ(function->At(4), 1);
  EXPECT_EQ(function->At(5), 0);
}

TEST(Schedule, HoldsAPiecesEndUntilTheNextBeginsWhichThenRules) {
  const auto function = ScheduleFunction::Create(
      Parse("pieces { begin_step: 0 end_step: 10 linear { from: 0 to: 1 } }"
            "pieces { begin_step: 20 end_step: 30 linear { from: 0.5 to: 0.2 } }"
            "pieces { begin_step: 30 end_step: 30 constant { value: 0.9 } }"),
      ScheduleKind::kMixWeight);
  ASSERT_TRUE(function.ok()) << function.status();
  EXPECT_EQ(function->At(10), 1);
  EXPECT_EQ(function->At(19), 1);
  EXPECT_EQ(function->At(20), 0.5);
  EXPECT_EQ(function->At(30), 0.9);
}

TEST(Schedule, AStepStopsAtItsFloorAndAtItsEnd) {
  const auto function = ScheduleFunction::Create(
      OnePiece(10, 100, "step { from: 0.8 factor: 0.5 every_steps: 10 floor: 0.3 }"),
      ScheduleKind::kMixWeight);
  EXPECT_EQ(function->At(0), 0.8);
  EXPECT_EQ(function->At(20), 0.4);
  EXPECT_EQ(function->At(30), 0.3);
  const auto ended = ScheduleFunction::Create(
      OnePiece(0, 25, "step { from: 0.8 factor: 0.5 every_steps: 10 }"), ScheduleKind::kMixWeight);
  EXPECT_EQ(ended->At(1000), 0.2);
}

std::string OnlyProblem(const v1::Schedule& schedule, ScheduleKind kind) {
  const auto problems = FindScheduleProblems(schedule, kind);
  if (problems.size() != 1) return absl::StrCat(problems.size(), " problems");
  EXPECT_FALSE(ScheduleFunction::Create(schedule, kind).ok());
  return problems[0].path;
}

TEST(Schedule, RefusesAValueOutOfTheRangeOfItsKindAtAnyStep) {
  using Kind = ScheduleKind;
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "linear { from: 4 to: 0 }"), Kind::kTemperature),
            "pieces[0].linear.to");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "constant { value: -1 }"), Kind::kTemperature),
            "pieces[0].constant.value");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "constant { value: nan }"), Kind::kTemperature),
            "pieces[0].constant.value");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "cosine { from: inf to: 1 }"), Kind::kLearningRate),
            "pieces[0].cosine.from");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "cosine { from: 0 to: 1.01 }"), Kind::kMixWeight),
            "pieces[0].cosine.to");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "constant { value: -0.1 }"), Kind::kTermWeight),
            "pieces[0].constant.value");
  EXPECT_TRUE(
      FindScheduleProblems(OnePiece(0, 9, "constant { value: 50 }"), Kind::kTermWeight).empty());
  // Decays below the smallest double: the temperature would be 0 late in the run.
  EXPECT_EQ(OnlyProblem(OnePiece(0, 5000, "step { from: 1 factor: 0.5 every_steps: 1 }"),
                        Kind::kTemperature),
            "pieces[0].step");
}

TEST(Schedule, RefusesShapesThatAreNotFunctions) {
  using Kind = ScheduleKind;
  EXPECT_EQ(OnlyProblem({}, Kind::kMixWeight), "pieces");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, ""), Kind::kMixWeight), "pieces[0]");
  EXPECT_EQ(OnlyProblem(OnePiece(-1, 9, "constant { value: 1 }"), Kind::kMixWeight),
            "pieces[0].begin_step");
  EXPECT_EQ(OnlyProblem(OnePiece(9, 8, "constant { value: 1 }"), Kind::kMixWeight),
            "pieces[0].end_step");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "exponential { from: 1 to: 0 }"), Kind::kMixWeight),
            "pieces[0].exponential");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "step { from: 1 factor: 0.5 }"), Kind::kMixWeight),
            "pieces[0].step.every_steps");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "step { from: 1 every_steps: 2 }"), Kind::kMixWeight),
            "pieces[0].step.factor");
  EXPECT_EQ(OnlyProblem(OnePiece(0, 9, "polynomial { from: 1 to: 0 }"), Kind::kMixWeight),
            "pieces[0].polynomial.power");
  EXPECT_EQ(OnlyProblem(Parse("pieces { end_step: 10 constant { value: 1 } }"
                              "pieces { begin_step: 9 end_step: 20 constant { value: 0 } }"),
                        Kind::kMixWeight),
            "pieces[1].begin_step");
}

TEST(Schedule, ListsAllProblemsAtOnce) {
  const absl::Status status =
      ScheduleFunction::Create(Parse("pieces { end_step: 10 linear { from: -1 to: 2 } }"
                                     "pieces { begin_step: 5 end_step: 20 }"),
                               ScheduleKind::kMixWeight)
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "pieces[0].linear.from: is -1; a weight must be from 0 to 1\n"
            "pieces[0].linear.to: is 2; a weight must be from 0 to 1\n"
            "pieces[1]: has no shape; give one of constant, linear, cosine, exponential, step, "
            "polynomial\n"
            "pieces[1].begin_step: is 5, before the piece above ends at 10; pieces must not "
            "overlap");
}

TEST(Schedule, BoundsAreThoseOfAllStepsUpToTheEnd) {
  for (const std::string& text :
       {std::string("pieces { begin_step: 0 end_step: 20 linear { from: 4 to: 2 } }"),
        std::string("pieces { begin_step: 5 end_step: 9 cosine { from: 1 to: 6 } }"
                    "pieces { begin_step: 9 end_step: 15 linear { from: 8 to: 0.5 } }"
                    "pieces { begin_step: 16 end_step: 30 exponential { from: 3 to: 4 } }"),
        std::string("pieces { begin_step: 3 end_step: 3 constant { value: 2 } }")}) {
    const auto function = ScheduleFunction::Create(Parse(text), ScheduleKind::kTemperature);
    ASSERT_TRUE(function.ok()) << function.status();
    for (int64_t steps = 1; steps < 40; ++steps) {
      double low = function->At(0), high = low;
      for (int64_t step = 0; step < steps; ++step) {
        low = std::min(low, function->At(step));
        high = std::max(high, function->At(step));
      }
      EXPECT_EQ(function->Bounds(steps), std::pair(low, high)) << steps << " of " << text;
    }
  }
}

}  // namespace
}  // namespace distill
