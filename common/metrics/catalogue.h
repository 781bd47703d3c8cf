// Every metric that any process serves: the one place with its name, kind, labels, unit,
// buckets and help. MetricRegistry takes them from here, so a metric that is not in the
// table cannot be served. `distillctl metrics list` prints the table, docs/metrics_list.md
// is what it prints, and deploy/monitoring/drift_test.py holds rules, boards and pages to it.
#ifndef COMMON_METRICS_CATALOGUE_H_
#define COMMON_METRICS_CATALOGUE_H_

#include <array>
#include <span>
#include <string>
#include <vector>

namespace distill {

// In the order of the table; the compiler checks that each has its row.
enum class Metric {
  kBuildInfo,
  kState,
  kProcessCpu,
  kProcessResident,
  kProcessOpenFds,
  kProcessStart,

  kCoordinatorGeneration,
  kCoordinatorMembers,
  kCoordinatorRunState,
  kCoordinatorRunGeneration,
  kCoordinatorRunPlannedSteps,
  kCoordinatorRunReachedSteps,

  kTeacherRequests,
  kTeacherItems,
  kTeacherBatches,
  kTeacherBatchItems,
  kTeacherBatchFill,
  kTeacherBatchPadding,
  kTeacherShed,
  kTeacherRequestDuration,
  kTeacherStageDuration,
  kTeacherQueueItems,
  kTeacherQueueRequests,
  kTeacherCacheHits,
  kTeacherCacheMisses,
  kTeacherCacheEvictions,
  kTeacherCacheBytes,
  kTeacherCacheDamaged,
  kTeacherCacheDropped,
  kTeacherCanaries,
  kTeacherCanaryDeviation,
  kTeacherDeviceBusy,

  kStudentSteps,
  kStudentItems,
  kStudentStepDuration,
  kStudentPhase,
  kStudentStarved,
  kStudentLoss,
  kStudentLearningRate,
  kStudentTemperature,
  kStudentSoftWeight,
  kStudentEvalAccuracy,
  kStudentLastStep,
  kStudentCheckpointDuration,
  kStudentLastCheckpoint,
  kStudentAsks,
  kStudentAskedAgain,
  kStudentHedges,
  kStudentBreakerOpenings,
  kStudentTeachersRefused,
};

enum class MetricKind { kCounter, kGauge, kHistogram };

// Whose pages have it.
enum class MetricOwner { kEveryProcess, kCoordinator, kTeacherServer, kStudentWorker };

struct MetricRow {
  Metric metric{};
  const char* name = "";
  MetricKind kind = MetricKind::kGauge;
  MetricOwner owner = MetricOwner::kEveryProcess;
  // Names of its labels; the rest is null.
  std::array<const char*, 2> labels{};
  // "seconds", "bytes", "ratio", or the plural of what is counted; empty for a number
  // without one.
  const char* unit = "";
  // Of a histogram: upper bounds of its buckets, inclusive, rising and finite; a bucket
  // for the rest is added.
  std::span<const double> bounds{};
  // Served beside the values.
  const char* help = "";
  // What else a reader of docs/metrics_list.md should know, in Markdown; often empty.
  const char* more = "";
};

// 0.0005 to 60, in seconds: 16 bounds in steps of about 1, 2.5 and 5.
inline constexpr double kDurationBounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,   0.5,   1,      2.5,   5,    10,    25,   60};
inline constexpr double kSizeBounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

// The table: the row of `metric` is at its number.
std::span<const MetricRow> Catalogue();

// "counter", "gauge", "histogram".
const char* MetricKindName(MetricKind kind);
// Those that are there.
std::vector<std::string> LabelNames(const MetricRow& row);

}  // namespace distill

#endif  // COMMON_METRICS_CATALOGUE_H_
