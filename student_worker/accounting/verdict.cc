#include "student_worker/accounting/verdict.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/step_record.h"

namespace distill {
namespace {

double Seconds(const RunAccounting& run, std::initializer_list<Phase> phases) {
  double sum = 0;
  for (const Phase phase : phases) {
    sum += absl::ToDoubleSeconds(run.phases[static_cast<size_t>(phase)]);
  }
  return sum;
}

std::string Percent(double share) { return absl::StrFormat("%.0f%%", 100 * share); }

// Shares of the wall time.
struct Shares {
  double labels = 0;
  double input = 0;
  double grants = 0;
  double keeping = 0;
  double student = 0;
  double all_reduce = 0;
  double unnamed = 0;
};

Shares SharesOf(const RunAccounting& run) {
  const double wall = absl::ToDoubleSeconds(run.wall);
  const double named = absl::ToDoubleSeconds(Total(run.phases)) - Seconds(run, {Phase::kOther});
  Shares shares;
  shares.labels = Seconds(run, {Phase::kWaitTeacher}) / wall;
  shares.input = Seconds(run, {Phase::kWaitData, Phase::kDecode}) / wall;
  shares.grants = Seconds(run, {Phase::kWaitGrant}) / wall;
  shares.keeping = Seconds(run, {Phase::kCheckpoint, Phase::kEvaluate}) / wall;
  shares.student =
      Seconds(run, {Phase::kForward, Phase::kBackward, Phase::kAllReduce, Phase::kOptimizer}) /
      wall;
  shares.all_reduce = Seconds(run, {Phase::kAllReduce}) / wall;
  shares.unnamed = std::abs(wall - named) / wall;
  return shares;
}

Bound BoundOfLabels(const AnswerTimes& answers, double teacher) {
  if (answers.count == 0 || answers.total <= 0) return Bound::kLabels;
  return teacher >= kMinTeacherShare * answers.total ? Bound::kTeacher : Bound::kNetwork;
}

std::string FewerBytes(const LabelTraffic& labels) {
  if (labels.codec.empty()) return ", or choose a smaller one of labels.codecs";
  if (labels.smaller.empty()) {
    return absl::StrCat("; a label of ", labels.codec, " takes ", labels.bytes, " bytes");
  }
  return absl::StrCat(", or make ", labels.smaller, " the first of labels.codecs: a label takes ",
                      labels.smaller_bytes, " bytes then, and ", labels.bytes, " in ",
                      labels.codec);
}

std::string OnLabels(Bound bound, const AnswerTimes& answers, double teacher,
                     const LabelTraffic& labels) {
  if (bound == Bound::kLabels) {
    return "on waiting for labels, and how much of that is the teacher's was not recorded: "
           "compare distill_teacher_stage_duration_seconds with it";
  }
  const std::string ask = absl::StrFormat("an ask's %.1f ms", 1e3 * answers.total / answers.count);
  const double share = teacher / answers.total;
  if (bound == Bound::kNetwork) {
    return absl::StrCat("on waiting for labels, and only ", Percent(share), " of ", ask,
                        " is the teacher's work: raise labels.window_steps to hide the way",
                        FewerBytes(labels));
  }
  const double queue = teacher > 0 ? answers.queue / teacher : 0;
  return absl::StrCat("on waiting for labels, and ", Percent(std::min(1.0, share)), " of ", ask,
                      " is the teacher's work, ", Percent(queue), " of that in its queue: ",
                      queue >= kFullQueueShare
                          ? "add a teacher server, or a larger label cache where views come again"
                          : "it has room, so raise labels.window_steps");
}

std::string OnOwnWork(const Shares& shares, bool has_labels) {
  if (shares.all_reduce >= kMinAllReduceShare * shares.student) {
    return "on the student's own work, most of it all-reduce: raise "
           "training.global_batch_size, or train with fewer student workers";
  }
  return absl::StrCat("on the student's own work", has_labels ? ", and labels come in time" : "",
                      ": more student workers, more threads or a smaller student would help",
                      has_labels ? ", another teacher server would not" : "");
}

}  // namespace

Verdict Judge(const RunAccounting& run, const LabelTraffic& labels) {
  Verdict verdict;
  if (run.wall <= absl::ZeroDuration()) {
    verdict.sentence = "not known what bounds it: no step was recorded";
    return verdict;
  }
  const Shares shares = SharesOf(run);
  const AnswerTimes& answers = run.answers;
  const double teacher = answers.queue + answers.assemble + answers.infer + answers.encode;
  verdict.unnamed = shares.unnamed;
  verdict.bound = Bound::kStudent;
  double share = shares.student;
  double largest = 0;
  const auto consider = [&](double its, double least, Bound bound) {
    if (its < least || its <= largest) return;
    largest = share = its;
    verdict.bound = bound;
  };
  consider(shares.labels, kMinWaitShare, BoundOfLabels(answers, teacher));
  consider(shares.grants, kMinWaitShare, Bound::kCoordinator);
  consider(shares.input, kMinInlineShare, Bound::kInput);
  consider(shares.keeping, kMinInlineShare, Bound::kKeeping);
  consider(shares.unnamed, kMinInlineShare, Bound::kUnknown);

  std::string name, why;
  switch (verdict.bound) {
    case Bound::kTeacher:
    case Bound::kNetwork:
    case Bound::kLabels:
      name = verdict.bound == Bound::kTeacher   ? "teacher-bound"
             : verdict.bound == Bound::kNetwork ? "network-bound"
                                                : "label-bound";
      why = OnLabels(verdict.bound, answers, teacher, labels);
      break;
    case Bound::kCoordinator:
      name = "coordinator-bound";
      why = "on waiting for the coordinator to grant steps: look at its host and its log";
      break;
    case Bound::kInput:
      name = "input-bound";
      why =
          "on preparing examples: choose a lighter view, or more student workers, since each "
          "prepares a part";
      break;
    case Bound::kKeeping:
      name = "checkpoint-bound";
      why =
          "on checkpoints and evaluation: raise training.checkpoint_every_steps or "
          "training.evaluate_every_steps";
      break;
    case Bound::kStudent:
      name = "student-bound";
      why = OnOwnWork(shares, answers.count > 0);
      break;
    case Bound::kUnknown:
      verdict.sentence = absl::StrCat("not known what bounds it: the named phases miss ",
                                      Percent(share), " of the time");
      return verdict;
  }
  verdict.sentence = absl::StrCat(name, ": ", Percent(share), " of the time is spent ", why);
  if (verdict.unnamed > kMaxUnnamedShare) {
    absl::StrAppend(&verdict.sentence, " (the named phases miss ", Percent(verdict.unnamed),
                    " of the time)");
  }
  return verdict;
}

}  // namespace distill
