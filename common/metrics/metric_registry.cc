#include "common/metrics/metric_registry.h"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "common/metrics/catalogue.h"
#include "common/metrics/process_usage.h"

namespace distill {
namespace {

void Require(bool condition, const std::string& name, const char* what) {
  if (!condition) ABSL_RAW_LOG(FATAL, "metric '%s': %s", name.c_str(), what);
}

bool Rising(std::span<const double> bounds) {
  return !bounds.empty() &&
         std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); }) &&
         std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end();
}

void AppendProcess(const ProcessUsage& usage, std::vector<prometheus::MetricFamily>* families) {
  const auto add = [&](Metric metric, double v) {
    const MetricRow& row = Catalogue()[static_cast<size_t>(metric)];
    const bool counts = row.kind == MetricKind::kCounter;
    prometheus::ClientMetric value;
    (counts ? value.counter.value : value.gauge.value) = v;
    families->push_back({row.name,
                         row.help,
                         counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge,
                         {value}});
  };
  add(Metric::kProcessCpu, usage.cpu_seconds);
  add(Metric::kProcessResident, usage.resident_bytes);
  add(Metric::kProcessOpenFds, usage.open_fds);
  add(Metric::kProcessStart, usage.start_time_seconds);
}

}  // namespace

void Counter::Tell() {
  const double value = value_.load(std::memory_order_relaxed);
  // Not of infinity to itself, which is NaN.
  if (value > told_) impl_->Increment(value - std::exchange(told_, value));
}

void Gauge::Tell() { impl_->Set(value_.load(std::memory_order_relaxed)); }

void Histogram::Observe(double value) {
  if (std::isnan(value)) return;
  absl::MutexLock lock(&mu_);
  values_[waiting_++] = value;
  if (waiting_ == kTogether) TellLocked();
}

void Histogram::Tell() {
  absl::MutexLock lock(&mu_);
  TellLocked();
}

void Histogram::TellLocked() {
  for (int i = 0; i < waiting_; ++i) impl_->Observe(values_[i]);
  waiting_ = 0;
}

MetricRegistry::MetricRegistry(const MetricRegistryOptions& options)
    : proc_(options.proc),
      catalogue_(options.catalogue),
      registry_(std::make_unique<prometheus::Registry>()) {
  if (options.version.empty() && options.role.empty()) return;
  AddGauge(Metric::kBuildInfo, {{"version", options.version}, {"role", options.role}})->Set(1);
}

MetricRegistry::~MetricRegistry() = default;

// prometheus-cpp throws or asserts for some of this and serves a broken page for the rest.
const MetricRow& MetricRegistry::RowOf(Metric metric, MetricKind kind,
                                       const MetricLabels& labels) const {
  const size_t number = static_cast<size_t>(metric);
  Require(number < catalogue_.size(), std::to_string(number), "is not in the catalogue");
  const MetricRow& row = catalogue_[number];
  Require(row.kind == kind, row.name, "is of another kind in the catalogue");
  Require(prometheus::CheckMetricName(row.name), row.name, "is not a name that Prometheus allows");
  Require(!absl::StartsWith(row.name, "process_"), row.name, "is served by the registry itself");
  const std::vector<std::string> names = LabelNames(row);
  Require(names.size() == labels.size(), row.name, "has other labels in the catalogue");
  for (const std::string& label : names) {
    Require(labels.count(label) == 1, row.name, "has other labels in the catalogue");
    Require(prometheus::CheckLabelName(label) && label != "le", row.name,
            "has a label that Prometheus does not allow");
  }
  Require(kind != MetricKind::kHistogram || Rising(row.bounds), row.name,
          "needs finite bounds that rise");
  return row;
}

Counter* MetricRegistry::AddCounter(Metric metric, const MetricLabels& labels) {
  const MetricRow& row = RowOf(metric, MetricKind::kCounter, labels);
  absl::MutexLock lock(&mu_);
  Counter*& handle = counters_.by_name[{metric, labels}];
  if (handle == nullptr) {
    auto& family = prometheus::BuildCounter().Name(row.name).Help(row.help).Register(*registry_);
    handle = &counters_.all.emplace_back(&family.Add(labels));
  }
  return handle;
}

Gauge* MetricRegistry::AddGauge(Metric metric, const MetricLabels& labels) {
  const MetricRow& row = RowOf(metric, MetricKind::kGauge, labels);
  absl::MutexLock lock(&mu_);
  Gauge*& handle = gauges_.by_name[{metric, labels}];
  if (handle == nullptr) {
    auto& family = prometheus::BuildGauge().Name(row.name).Help(row.help).Register(*registry_);
    handle = &gauges_.all.emplace_back(&family.Add(labels));
  }
  return handle;
}

Histogram* MetricRegistry::AddHistogram(Metric metric, const MetricLabels& labels) {
  const MetricRow& row = RowOf(metric, MetricKind::kHistogram, labels);
  const std::vector<double> bounds(row.bounds.begin(), row.bounds.end());
  absl::MutexLock lock(&mu_);
  Histogram*& handle = histograms_.by_name[{metric, labels}];
  if (handle == nullptr) {
    auto& family = prometheus::BuildHistogram().Name(row.name).Help(row.help).Register(*registry_);
    handle = &histograms_.all.emplace_back(&family.Add(labels, bounds));
  }
  return handle;
}

std::string MetricRegistry::Serialize() {
  {
    absl::MutexLock lock(&mu_);
    for (Counter& counter : counters_.all) counter.Tell();
    for (Gauge& gauge : gauges_.all) gauge.Tell();
    for (Histogram& histogram : histograms_.all) histogram.Tell();
  }
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  if (const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage(proc_); usage.ok()) {
    AppendProcess(*usage, &families);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace distill
