#include "coordinator/state/coordinator_state.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <random>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using v1::PlanStatus;
using v1::RunStatus;
using v1::Update;

constexpr absl::StatusCode kAborted = absl::StatusCode::kAborted;
constexpr absl::StatusCode kRefused = absl::StatusCode::kFailedPrecondition;

Update Parse(const std::string& text) {
  Update update;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &update)) << text;
  return update;
}

// teacher (1 rank) -> student (2 ranks); baseline (2 ranks) needs no teacher.
Update Plan(const std::string& id = "p1") {
  Update update = Parse(R"(plan_submitted {
    idempotency_key: "key"
    plan {
      data_sets { name: "digits" }
      runs { name: "student" data_set: "digits" teachers { role: "t" run: "teacher" }
             training { steps: 400 world_size: 2 keep_checkpoints: 2 } }
      runs { name: "teacher" data_set: "digits" training { steps: 200 world_size: 1 } }
      runs { name: "baseline" data_set: "digits" training { steps: 300 world_size: 2 } }
    } })");
  update.mutable_plan_submitted()->set_plan_id(id);
  return update;
}

Update World(const std::string& run, uint64_t generation, const std::vector<std::string>& workers) {
  Update update;
  update.mutable_world_formed()->set_run_id(run);
  update.mutable_world_formed()->set_generation(generation);
  for (size_t i = 0; i < workers.size(); ++i) {
    auto* member = update.mutable_world_formed()->add_members();
    member->set_worker(workers[i]);
    member->set_incarnation(7 + i);
    member->set_rank(i);
  }
  return update;
}

Update Grant(const std::string& run, uint64_t generation, int64_t through) {
  Update update;
  update.mutable_grant_extended()->set_run_id(run);
  update.mutable_grant_extended()->set_generation(generation);
  update.mutable_grant_extended()->set_through_step(through);
  return update;
}

Update Commit(const std::string& run, uint64_t generation, int64_t step, uint64_t fence = 1) {
  Update update;
  auto* committed = update.mutable_checkpoint_committed();
  committed->set_fence(fence);
  committed->mutable_checkpoint()->set_run_id(run);
  committed->mutable_checkpoint()->set_step(step);
  committed->mutable_checkpoint()->set_generation(generation);
  committed->mutable_checkpoint()->set_path(run + "/" + std::to_string(step));
  committed->mutable_checkpoint()->set_manifest_digest("d" + std::to_string(step));
  return update;
}

Update Finish(const std::string& run, uint64_t generation) {
  Update update;
  update.mutable_run_finished()->set_run_id(run);
  update.mutable_run_finished()->set_generation(generation);
  update.mutable_run_finished()->set_fingerprint("f-" + run);
  return update;
}

Update Schedule(const std::string& run, uint64_t version, int64_t from, const std::string& key) {
  Update update;
  auto* added = update.mutable_schedule_version_added();
  added->set_run_id(run);
  added->set_idempotency_key(key);
  added->mutable_version()->set_version(version);
  added->mutable_version()->set_from_step(from);
  return update;
}

Update Broken(const std::string& run, uint64_t generation) {
  Update update;
  update.mutable_world_broken()->set_run_id(run);
  update.mutable_world_broken()->set_generation(generation);
  update.mutable_world_broken()->set_reason("student-1 is gone");
  return update;
}

Update Failed(const std::string& run, uint64_t generation) {
  Update update;
  update.mutable_run_failed()->set_run_id(run);
  update.mutable_run_failed()->set_generation(generation);
  update.mutable_run_failed()->set_worker("student-0");
  update.mutable_run_failed()->set_message("loss is not a number");
  update.mutable_run_failed()->set_code(static_cast<int32_t>(absl::StatusCode::kOutOfRange));
  return update;
}

Update Fence(uint64_t fence) {
  Update update;
  update.mutable_fence_taken()->set_fence(fence);
  return update;
}

Update Stop() { return Parse(R"(plan_stopped { idempotency_key: "s" reason: "enough" })"); }

Update Resume(const std::string& key = "r") {
  Update update;
  update.mutable_plan_resumed()->set_idempotency_key(key);
  return update;
}

class CoordinatorStateTest : public ::testing::Test {
 protected:
  void Do(const Update& update) {
    const absl::Status status = state_.Validate(update);
    ASSERT_TRUE(status.ok()) << status << "\n" << update.DebugString();
    state_.Apply(update);
  }
  absl::StatusCode Code(const Update& update) { return state_.Validate(update).code(); }
  RunState StateOf(const std::string& run) { return state_.FindRun(run)->state; }
  void StartPlan() {
    Do(Fence(1));
    Do(Plan());
  }

  CoordinatorState state_;
};

std::string Dump(const CoordinatorState& state) {
  std::string out = state.Status().DebugString();
  for (const Update& update : state.Compact()) out += update.DebugString();
  for (const CoordinatorState::Run& run : state.runs()) {
    out += std::to_string(run.WorldsWithoutCommit()) + (run.world_broken ? "broken\n" : "\n");
  }
  out += std::to_string(state.IsStopKey("s")) + std::to_string(state.IsResumeKey("r0"));
  return out;
}

CoordinatorState Rebuild(const std::vector<Update>& updates) {
  CoordinatorState state;
  for (const Update& update : updates) state.Apply(update);
  return state;
}

TEST(RunStates, AllowExactlyTheTransitionsDrawn) {
  using S = RunStatus;
  const std::set<std::pair<RunState, RunState>> drawn = {
      {S::PENDING, S::WAITING}, {S::WAITING, S::ACTIVE}, {S::ACTIVE, S::WAITING},
      {S::ACTIVE, S::DONE},     {S::WAITING, S::BROKEN}, {S::ACTIVE, S::BROKEN},
      {S::PENDING, S::HALTED},  {S::WAITING, S::HALTED}, {S::ACTIVE, S::HALTED},
      {S::BROKEN, S::HALTED},   {S::BROKEN, S::PENDING}, {S::HALTED, S::PENDING}};
  for (int from = 0; from <= S::HALTED; ++from) {
    for (int to = 0; to <= S::HALTED; ++to) {
      const auto pair = std::make_pair(static_cast<RunState>(from), static_cast<RunState>(to));
      EXPECT_EQ(CanMove(pair.first, pair.second), drawn.count(pair) > 0) << from << " -> " << to;
    }
  }
}

TEST_F(CoordinatorStateTest, ARunWaitsForTheRunsItTakesTeachersFrom) {
  StartPlan();
  EXPECT_EQ(StateOf("student"), RunStatus::PENDING);
  EXPECT_EQ(state_.NextRunToStart()->config.name(), "teacher");
  Do(World("teacher", 1, {"a"}));
  EXPECT_EQ(state_.NextRunToStart()->config.name(), "baseline");
  Do(Finish("teacher", 1));
  EXPECT_EQ(StateOf("teacher"), RunStatus::DONE);
  EXPECT_EQ(state_.NextRunToStart()->config.name(), "student");
}

TEST_F(CoordinatorStateTest, ThePlanFinishesWithItsLastRun) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Finish("teacher", 1));
  Do(World("student", 1, {"a", "b"}));
  Do(Finish("student", 1));
  EXPECT_EQ(state_.plan_state(), PlanStatus::RUNNING);
  Do(World("baseline", 1, {"a", "b"}));
  Do(Finish("baseline", 1));
  EXPECT_EQ(state_.plan_state(), PlanStatus::FINISHED);
  EXPECT_EQ(state_.NextRunToStart(), nullptr);
}

TEST_F(CoordinatorStateTest, AFenceOnlyRises) {
  Do(Fence(3));
  EXPECT_EQ(Code(Fence(3)), kAborted);
  EXPECT_EQ(Code(Fence(2)), kAborted);
  Do(Fence(4));
}

TEST_F(CoordinatorStateTest, APlanThatCannotBeExecutedIsRefusedWithAllItsProblems) {
  Update plan = Plan();
  plan.mutable_plan_submitted()->mutable_plan()->mutable_runs(0)->set_data_set("letters");
  plan.mutable_plan_submitted()->mutable_plan()->mutable_runs(1)->mutable_training()->set_steps(0);
  const absl::Status status = state_.Validate(plan);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("run \"student\": no data set \"letters\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("run \"teacher\": training.steps"));
  Update circle = Plan();
  circle.mutable_plan_submitted()->mutable_plan()->mutable_runs(1)->add_teachers()->set_run(
      "student");
  EXPECT_THAT(std::string(state_.Validate(circle).message()),
              HasSubstr("wait for one another as teachers: student, teacher"));
}

TEST_F(CoordinatorStateTest, OnePlanRunsAtATimeAndItsKeyIsRemembered) {
  StartPlan();
  EXPECT_EQ(Code(Plan("p2")), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(state_.PlanOfKey("key"), "p1");
  EXPECT_EQ(state_.PlanOfKey("other"), "");
}

TEST_F(CoordinatorStateTest, GenerationsOfTheNextPlanGoOnAboveThoseOfTheLast) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Broken("teacher", 1));
  Do(World("teacher", 2, {"a"}));
  Do(Stop());
  EXPECT_TRUE(state_.IsStopKey("s"));
  Do(Plan("p2"));
  EXPECT_EQ(Code(World("teacher", 1, {"a"})), kAborted);
  Do(World("teacher", 3, {"a"}));
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 1u);
  EXPECT_EQ(Code(Finish("teacher", 2)), kAborted);
}

TEST_F(CoordinatorStateTest, AWorldHasTheRunsSizeDistinctRanksAndOnlyIdleWorkers) {
  StartPlan();
  EXPECT_EQ(Code(World("teacher", 1, {"a", "b"})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(World("baseline", 1, {"a", "a"})), absl::StatusCode::kInvalidArgument);
  Update ranks = World("baseline", 1, {"a", "b"});
  ranks.mutable_world_formed()->mutable_members(1)->set_rank(0);
  EXPECT_EQ(Code(ranks), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(World("student", 1, {"a", "b"})), kRefused);
  Do(World("teacher", 1, {"a"}));
  EXPECT_EQ(Code(World("baseline", 1, {"a", "b"})), kRefused);
  EXPECT_EQ(Code(World("teacher", 2, {"b"})), kRefused);
  Do(World("baseline", 1, {"b", "c"}));
}

TEST_F(CoordinatorStateTest, AGrantGrowsUpToTheRunsStepsAndSurvivesABrokenWorld) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Grant("teacher", 1, 64));
  EXPECT_EQ(Code(Grant("teacher", 1, 64)), kRefused);
  EXPECT_EQ(Code(Grant("teacher", 1, 201)), kRefused);
  Do(Broken("teacher", 1));
  EXPECT_EQ(Code(Grant("teacher", 1, 100)), kAborted);
  Do(World("teacher", 2, {"a"}));
  EXPECT_EQ(state_.FindRun("teacher")->granted_through, 64);
  EXPECT_EQ(Code(Grant("teacher", 1, 100)), kAborted);
  Do(Grant("teacher", 2, 200));
}

TEST_F(CoordinatorStateTest, AScheduleHoldsOnlyBeyondTheGrantAndTheRefusalNamesTheFirstFreeStep) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Grant("teacher", 1, 64));
  const absl::Status status = state_.Validate(Schedule("teacher", 2, 63, "k"));
  EXPECT_EQ(status.code(), kRefused);
  EXPECT_THAT(std::string(status.message()), HasSubstr("first free step is 64"));
  EXPECT_EQ(Code(Schedule("teacher", 3, 64, "k")), kAborted);
  Do(Schedule("teacher", 2, 64, "k"));
  EXPECT_EQ(state_.ScheduleOfKey("teacher", "k")->version(), 2u);
  EXPECT_EQ(state_.ScheduleOfKey("teacher", "l"), nullptr);
  EXPECT_EQ(Code(Schedule("nobody", 2, 64, "k")), absl::StatusCode::kNotFound);
}

TEST_F(CoordinatorStateTest, ACommitNeedsTheCurrentFenceAndGenerationAndGrantedSteps) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Grant("teacher", 1, 64));
  EXPECT_EQ(Code(Commit("teacher", 1, 10, /*fence=*/2)), kAborted);
  EXPECT_EQ(Code(Commit("teacher", 2, 10)), kAborted);
  EXPECT_EQ(Code(Commit("teacher", 1, 65)), kRefused);
  Do(Commit("teacher", 1, 64));
  EXPECT_TRUE(state_.IsCommitted(Commit("teacher", 1, 64).checkpoint_committed().checkpoint()));
  EXPECT_FALSE(state_.IsCommitted(Commit("teacher", 1, 63).checkpoint_committed().checkpoint()));
  EXPECT_EQ(Code(Commit("teacher", 1, 64)), kRefused);
}

TEST_F(CoordinatorStateTest, TheLastKCheckpointsAreKeptAndOlderPathsBecomeObsolete) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Finish("teacher", 1));
  Do(World("student", 1, {"a", "b"}));
  Do(Grant("student", 1, 400));
  Do(Commit("student", 1, 100));
  Do(Commit("student", 1, 200));
  EXPECT_THAT(state_.FindRun("student")->obsolete_paths, ElementsAre());
  Do(Commit("student", 1, 300));
  EXPECT_THAT(state_.FindRun("student")->obsolete_paths, ElementsAre("student/100"));
  Do(Commit("student", 1, 400));
  EXPECT_THAT(state_.FindRun("student")->obsolete_paths, ElementsAre("student/100", "student/200"));
  EXPECT_EQ(state_.FindRun("student")->last_checkpoint()->step(), 400);
  EXPECT_EQ(state_.FindRun("student")->checkpoints.size(), 2u);
}

TEST_F(CoordinatorStateTest, AFailedRunFailsThePlanWithTheReasonAndHaltsTheOthers) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  EXPECT_EQ(Code(Failed("teacher", 2)), kAborted);
  Do(Failed("teacher", 1));
  const PlanStatus status = state_.Status();
  EXPECT_EQ(status.state(), PlanStatus::FAILED);
  EXPECT_THAT(status.message(),
              HasSubstr("run \"teacher\" failed: student-0: loss is not a number"));
  EXPECT_EQ(StateOf("teacher"), RunStatus::BROKEN);
  EXPECT_EQ(StateOf("student"), RunStatus::HALTED);
  EXPECT_EQ(status.code(), static_cast<int32_t>(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(Code(Stop()), kRefused);
}

TEST_F(CoordinatorStateTest, OnlyAPlanThatFailedOrWasStoppedCanBeResumed) {
  EXPECT_EQ(Code(Resume()), absl::StatusCode::kNotFound);
  StartPlan();
  EXPECT_EQ(Code(Resume()), kRefused);
  Do(Stop());
  Do(Resume());
  EXPECT_EQ(Code(Resume()), kRefused);
  Do(World("teacher", 1, {"a"}));
  Do(Failed("teacher", 1));
  Do(Resume());
  Do(World("teacher", 2, {"a"}));
  Do(Finish("teacher", 2));
  Do(World("student", 1, {"a", "b"}));
  Do(Finish("student", 1));
  Do(World("baseline", 1, {"a", "b"}));
  Do(Finish("baseline", 1));
  EXPECT_EQ(state_.plan_state(), PlanStatus::FINISHED);
  EXPECT_EQ(Code(Resume()), kRefused);
}

TEST_F(CoordinatorStateTest, AResumedPlanKeepsWhatItsRunsHaveAndForgetsWhyTheyEnded) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Finish("teacher", 1));
  Do(World("student", 1, {"a", "b"}));
  Do(Grant("student", 1, 128));
  Do(Schedule("student", 2, 200, "k"));
  Do(Commit("student", 1, 100));
  Do(Failed("student", 1));
  EXPECT_EQ(StateOf("baseline"), RunStatus::HALTED);
  Do(Resume());
  const PlanStatus status = state_.Status();
  EXPECT_EQ(status.state(), PlanStatus::RUNNING);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.code(), 0);
  EXPECT_EQ(StateOf("teacher"), RunStatus::DONE);
  EXPECT_EQ(StateOf("baseline"), RunStatus::WAITING);
  const CoordinatorState::Run& student = *state_.FindRun("student");
  EXPECT_EQ(student.message, "");
  EXPECT_EQ(student.granted_through, 128);
  EXPECT_EQ(student.last_checkpoint()->step(), 100);
  EXPECT_EQ(state_.ScheduleOfKey("student", "k")->version(), 2u);
  EXPECT_EQ(Code(Commit("student", 1, 110)), kAborted);
  EXPECT_EQ(Code(World("student", 1, {"a", "b"})), kAborted);
  Do(World("student", 2, {"a", "b"}));
}

TEST_F(CoordinatorStateTest, AResumedRunStillWaitsForItsTeachers) {
  StartPlan();
  Do(Stop());
  Do(Resume());
  EXPECT_EQ(StateOf("student"), RunStatus::PENDING);
  EXPECT_EQ(state_.NextRunToStart()->config.name(), "teacher");
}

TEST_F(CoordinatorStateTest, WorldsWithoutACommitAreCountedAnewFromAResumption) {
  StartPlan();
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    Do(World("teacher", generation, {"a"}));
    Do(Broken("teacher", generation));
  }
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 3u);
  Do(Failed("teacher", 3));
  Do(Resume());
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 0u);
  Do(World("teacher", 4, {"a"}));
  state_ = Rebuild(state_.Compact());
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 1u);
  Do(Grant("teacher", 4, 64));
  Do(Commit("teacher", 4, 10));
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 0u);
}

TEST_F(CoordinatorStateTest, ARunOfALaterPlanHasNoWorldsBeforeItsFirst) {
  StartPlan();
  Do(World("teacher", 1, {"a"}));
  Do(Stop());
  Do(Plan("p2"));
  EXPECT_EQ(state_.FindRun("teacher")->WorldsWithoutCommit(), 0u);
}

TEST_F(CoordinatorStateTest, TheKeysOfTheNewestStopAndResumptionAreRememberedWithTheirPlan) {
  StartPlan();
  Do(Stop());
  Do(Resume());
  state_ = Rebuild(state_.Compact());
  EXPECT_TRUE(state_.IsStopKey("s"));
  EXPECT_TRUE(state_.IsResumeKey("r"));
  Do(Stop());
  Do(Plan("p2"));
  EXPECT_FALSE(state_.IsStopKey("s"));
  EXPECT_FALSE(state_.IsResumeKey("r"));
}

TEST_F(CoordinatorStateTest, AnUnknownKindOfRecordIsRefused) {
  EXPECT_EQ(Code(Update()), absl::StatusCode::kInvalidArgument);
}

// Random updates, most of them invalid; the accepted ones are the history.
std::vector<Update> RandomHistory(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto pick = [&random](uint64_t n) { return random() % n; };
  CoordinatorState state;
  std::vector<Update> history;
  const std::vector<std::string> runs = {"student", "teacher", "baseline"};
  for (int i = 0; i < 600; ++i) {
    const std::string& run = runs[pick(3)];
    const CoordinatorState::Run* known = state.FindRun(run);
    const uint64_t generation = known == nullptr ? 1 : known->generation;
    const int64_t step = pick(400);
    Update update;
    switch (pick(60) < 4 ? 7 + pick(4) : pick(7)) {
      case 0:
        // Seldom a plan, so that those which ended are resumed too.
        update = pick(8) ? Fence(state.fence() + 1) : Plan("p" + std::to_string(i));
        break;
      case 1: {
        std::vector<std::string> workers = {"a", "b"};
        if (run == "teacher") workers.pop_back();
        update = World(run, known == nullptr ? 1 : state.NextGeneration(*known), workers);
        break;
      }
      case 2:
        update = Broken(run, generation);
        break;
      case 3:
        update = Grant(run, generation, step);
        break;
      case 4:
        update = Schedule(run, known == nullptr ? 2 : known->schedules.size() + 1, step,
                          "k" + std::to_string(i));
        break;
      case 5:
        update = Commit(run, generation, step, state.fence());
        break;
      case 6:
        if (pick(4) == 0) update = Finish(run, generation);
        break;
      case 7:
        update = Failed(run, generation);
        break;
      case 8:
        update = Stop();
        break;
      default:
        update = Resume("r" + std::to_string(pick(2)));
        break;
    }
    if (!state.Validate(update).ok()) continue;
    state.Apply(update);
    history.push_back(update);
  }
  return history;
}

TEST(CoordinatorStateReplay, EveryPrefixCompactsToTheSameState) {
  size_t checked = 0, resumed = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    CoordinatorState state;
    for (const Update& update : RandomHistory(seed)) {
      state.Apply(update);
      ASSERT_EQ(Dump(Rebuild(state.Compact())), Dump(state)) << update.DebugString();
      ++checked;
      resumed += update.has_plan_resumed();
    }
  }
  EXPECT_GT(checked, 1000u);
  EXPECT_GT(resumed, 50u);
}

}  // namespace
}  // namespace distill
