#include "student_worker/student_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace distill {

void StudentMetrics::SetGauge(const std::string& name, const std::string& help,
                              const std::string& run_id, double value) {
  registry_->AddGauge(name, help, {{"run", run_id}})->Set(value);
}

void StudentMetrics::OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) {
  const MetricLabels run = {{"run", run_id}};
  registry_->AddCounter("distill_student_steps_total", "Optimiser updates", run)->Add();
  registry_->AddCounter("distill_student_items_total", "Examples of this rank", run)
      ->Add(static_cast<double>(examples));
  registry_
      ->AddHistogram("distill_student_step_duration_seconds", "Wall time of a step", run,
                     DurationBuckets())
      ->Observe(absl::ToDoubleSeconds(Total(record.phases)));
  for (int phase = 0; phase < kPhases; ++phase) {
    registry_
        ->AddCounter(
            "distill_student_phase_seconds_total", "Where the time goes",
            {{"run", run_id}, {"phase", std::string(PhaseName(static_cast<Phase>(phase)))}})
        ->Add(absl::ToDoubleSeconds(record.phases[phase]));
  }
  registry_
      ->AddCounter("distill_student_starved_seconds_total",
                   "Time spent waiting for the teacher, not hidden by asking ahead", run)
      ->Add(absl::ToDoubleSeconds(record.phases[static_cast<int>(Phase::kWaitTeacher)]));
  registry_
      ->AddGauge("distill_student_loss", "Loss and its terms", {{"run", run_id}, {"term", "total"}})
      ->Set(record.loss);
  for (const auto& [term, value] : record.loss_terms) {
    registry_
        ->AddGauge("distill_student_loss", "Loss and its terms", {{"run", run_id}, {"term", term}})
        ->Set(value);
  }
  SetGauge("distill_student_learning_rate", "Of the last step", run_id, record.learning_rate);
  SetGauge("distill_student_temperature", "Of the last step", run_id, record.temperature);
  SetGauge("distill_student_soft_weight", "Of the last step", run_id, record.soft_weight);
  SetGauge("distill_student_last_step_timestamp_seconds", "When the last step ended", run_id,
           absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch()));
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
  SetGauge("distill_student_last_checkpoint_timestamp_seconds", "When the last one was committed",
           run_id, absl::ToDoubleSeconds(clock_->WallNow() - absl::UnixEpoch()));
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
