#include "student_worker/student_metrics.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/metrics/catalogue.h"

namespace distill {

namespace {

Gauge* LossGauge(MetricRegistry* registry, const std::string& run_id, const std::string& term) {
  return registry->AddGauge(Metric::kStudentLoss, {{"run", run_id}, {"term", term}});
}

}  // namespace

StudentMetrics::StepSeries::StepSeries(MetricRegistry* registry, const std::string& run_id)
    : registry(registry),
      run_id(run_id),
      steps(registry->AddCounter(Metric::kStudentSteps, {{"run", run_id}})),
      items(registry->AddCounter(Metric::kStudentItems, {{"run", run_id}})),
      duration(registry->AddHistogram(Metric::kStudentStepDuration, {{"run", run_id}})),
      starved(registry->AddCounter(Metric::kStudentStarved, {{"run", run_id}})),
      loss(LossGauge(registry, run_id, "total")),
      learning_rate(registry->AddGauge(Metric::kStudentLearningRate, {{"run", run_id}})),
      temperature(registry->AddGauge(Metric::kStudentTemperature, {{"run", run_id}})),
      soft_weight(registry->AddGauge(Metric::kStudentSoftWeight, {{"run", run_id}})),
      last_step(registry->AddGauge(Metric::kStudentLastStep, {{"run", run_id}})) {
  for (int phase = 0; phase < kPhases; ++phase) {
    phases[phase] = registry->AddCounter(
        Metric::kStudentPhase,
        {{"run", run_id}, {"phase", std::string(PhaseName(static_cast<Phase>(phase)))}});
  }
  // A run's first checkpoint may be hours away, and an absent histogram looks like a dead one.
  registry->AddHistogram(Metric::kStudentCheckpointDuration, {{"run", run_id}});
}

Gauge* StudentMetrics::StepSeries::LossOf(const std::string& term) {
  Gauge*& gauge = terms[term];
  if (gauge == nullptr) gauge = LossGauge(registry, run_id, term);
  return gauge;
}

void StudentMetrics::OnSession(const std::string&) { before_first_step_ = true; }

void StudentMetrics::OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) {
  auto it = steps_.find(run_id);
  const double now = absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch());
  if (it == steps_.end()) it = steps_.try_emplace(run_id, registry_, run_id).first;
  if (std::exchange(before_first_step_, false)) {
    // A session begins where a checkpoint ends, or with nothing to lose; what an earlier one made
    // behind that checkpoint is lost already.
    registry_->AddGauge(Metric::kStudentLastCheckpoint, {{"run", run_id}})->Set(now);
  }
  StepSeries& series = it->second;
  series.steps->Add();
  series.items->Add(static_cast<double>(examples));
  series.duration->Observe(absl::ToDoubleSeconds(Total(record.phases)));
  for (int phase = 0; phase < kPhases; ++phase) {
    series.phases[phase]->Add(absl::ToDoubleSeconds(record.phases[phase]));
  }
  series.starved->Add(absl::ToDoubleSeconds(record.phases[static_cast<int>(Phase::kWaitTeacher)]));
  series.loss->Set(record.loss);
  for (const auto& [term, value] : record.loss_terms) series.LossOf(term)->Set(value);
  series.learning_rate->Set(record.learning_rate);
  series.temperature->Set(record.temperature);
  series.soft_weight->Set(record.soft_weight);
  series.last_step->Set(now);
}

void StudentMetrics::OnValidation(const std::string& run_id, double accuracy) {
  registry_->AddGauge(Metric::kStudentEvalAccuracy, {{"run", run_id}, {"split", "validation"}})
      ->Set(accuracy);
}

void StudentMetrics::OnCheckpoint(const std::string& run_id, absl::Duration time) {
  registry_->AddHistogram(Metric::kStudentCheckpointDuration, {{"run", run_id}})
      ->Observe(absl::ToDoubleSeconds(time));
  registry_->AddGauge(Metric::kStudentLastCheckpoint, {{"run", run_id}})
      ->Set(absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch()));
}

void StudentMetrics::OnLabels(const std::string& run_id, const std::string& role,
                              const LabelSource::Counters& more, const LabelSource::Counters& all,
                              bool ended) {
  const auto add = [&](Metric metric, auto amount) {
    registry_->AddCounter(metric, {{"run", run_id}, {"role", role}})
        ->Add(static_cast<double>(amount));
  };
  add(Metric::kStudentAsks, more.asks);
  add(Metric::kStudentAskedAgain, more.asked_again);
  add(Metric::kStudentHedges, more.hedges);
  add(Metric::kStudentBreakerOpenings, more.breaker_openings);
  add(Metric::kStudentTeachersRefused, more.refused.size());
  for (const auto& [teacher, why] : more.refused) {
    log_(absl::StrCat("run ", run_id, " refuses teacher server ", teacher, ": ", why));
  }
  if (!ended) return;
  std::string line =
      absl::StrCat("labels of ", role, " for run ", run_id, ": ", all.asks, " asks, ",
                   all.asked_again, " of them asked again, ", all.hedges, " hedged; served by");
  for (const auto& [teacher, served] : all.served)
    absl::StrAppend(&line, " ", teacher, "=", served);
  log_(line);
}

}  // namespace distill
