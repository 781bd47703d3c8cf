#include "student_worker/student_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace distill {

namespace {

Gauge* GaugeOf(MetricRegistry* registry, const std::string& name, const std::string& help,
               const std::string& run_id) {
  return registry->AddGauge(name, help, {{"run", run_id}});
}

Gauge* LossGauge(MetricRegistry* registry, const std::string& run_id, const std::string& term) {
  return registry->AddGauge("distill_student_loss", "Loss and its terms",
                            {{"run", run_id}, {"term", term}});
}

}  // namespace

StudentMetrics::StepSeries::StepSeries(MetricRegistry* registry, const std::string& run_id)
    : registry(registry),
      run_id(run_id),
      steps(registry->AddCounter("distill_student_steps_total", "Optimiser updates",
                                 {{"run", run_id}})),
      items(registry->AddCounter("distill_student_items_total", "Examples of this rank",
                                 {{"run", run_id}})),
      duration(registry->AddHistogram("distill_student_step_duration_seconds",
                                      "Wall time of a step", {{"run", run_id}}, DurationBuckets())),
      starved(registry->AddCounter("distill_student_starved_seconds_total",
                                   "Time spent waiting for the teacher, not hidden by asking ahead",
                                   {{"run", run_id}})),
      loss(LossGauge(registry, run_id, "total")),
      learning_rate(GaugeOf(registry, "distill_student_learning_rate", "Of the last step", run_id)),
      temperature(GaugeOf(registry, "distill_student_temperature", "Of the last step", run_id)),
      soft_weight(GaugeOf(registry, "distill_student_soft_weight", "Of the last step", run_id)),
      last_step(GaugeOf(registry, "distill_student_last_step_timestamp_seconds",
                        "When the last step ended", run_id)) {
  for (int phase = 0; phase < kPhases; ++phase) {
    phases[phase] = registry->AddCounter(
        "distill_student_phase_seconds_total", "Where the time goes",
        {{"run", run_id}, {"phase", std::string(PhaseName(static_cast<Phase>(phase)))}});
  }
}

Gauge* StudentMetrics::StepSeries::LossOf(const std::string& term) {
  Gauge*& gauge = terms[term];
  if (gauge == nullptr) gauge = LossGauge(registry, run_id, term);
  return gauge;
}

void StudentMetrics::OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) {
  auto it = steps_.find(run_id);
  if (it == steps_.end()) it = steps_.try_emplace(run_id, registry_, run_id).first;
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
  series.last_step->Set(absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch()));
}

void StudentMetrics::OnValidation(const std::string& run_id, double accuracy) {
  registry_
      ->AddGauge("distill_student_eval_accuracy_ratio", "Share of examples predicted right",
                 {{"run", run_id}, {"split", "validation"}})
      ->Set(accuracy);
}

void StudentMetrics::OnCheckpoint(const std::string& run_id, absl::Duration time) {
  registry_
      ->AddHistogram("distill_student_checkpoint_duration_seconds", "Writing and committing one",
                     {{"run", run_id}}, DurationBuckets())
      ->Observe(absl::ToDoubleSeconds(time));
  GaugeOf(registry_, "distill_student_last_checkpoint_timestamp_seconds",
          "When the last one was committed", run_id)
      ->Set(absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch()));
}

void StudentMetrics::OnLabels(const std::string& run_id, const std::string& role,
                              const LabelSource::Counters& more, const LabelSource::Counters& all,
                              bool ended) {
  const MetricLabels labels = {{"run", run_id}, {"role", role}};
  registry_->AddCounter("distill_student_asks_total", "Requests for labels", labels)
      ->Add(static_cast<double>(more.asks));
  registry_
      ->AddCounter("distill_student_asked_again_total",
                   "Of these, for a step whose teacher was lost, failed or late", labels)
      ->Add(static_cast<double>(more.asked_again));
  registry_
      ->AddCounter("distill_student_hedges_total",
                   "Of these, asked of a second teacher since the first was late", labels)
      ->Add(static_cast<double>(more.hedges));
  registry_
      ->AddCounter("distill_student_breaker_openings_total",
                   "Teachers not asked for a while since they failed or were lost", labels)
      ->Add(static_cast<double>(more.breaker_openings));
  registry_
      ->AddCounter("distill_student_teachers_refused_total",
                   "Teacher servers that do not fit the run, or answered what they should not",
                   labels)
      ->Add(static_cast<double>(more.refused.size()));
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
