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
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "common/metrics/process_usage.h"

namespace distill {
namespace {

void Require(bool condition, const std::string& name, const char* what) {
  if (!condition) ABSL_RAW_LOG(FATAL, "metric '%s': %s", name.c_str(), what);
}

bool Rising(const std::vector<double>& bounds) {
  return !bounds.empty() &&
         std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); }) &&
         std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end();
}

void AppendProcess(const ProcessUsage& usage, std::vector<prometheus::MetricFamily>* families) {
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type, double v) {
    prometheus::ClientMetric metric;
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = v;
    families->push_back({name, help, type, {metric}});
  };
  add("process_cpu_seconds_total", "User and system CPU time of the process.",
      prometheus::MetricType::Counter, usage.cpu_seconds);
  add("process_resident_memory_bytes", "Physical memory of the process.",
      prometheus::MetricType::Gauge, usage.resident_bytes);
  add("process_open_fds", "Open file descriptors of the process.", prometheus::MetricType::Gauge,
      usage.open_fds);
  add("process_start_time_seconds", "When the process started, since the epoch.",
      prometheus::MetricType::Gauge, usage.start_time_seconds);
}

}  // namespace

void Counter::Add(double amount) {
  if (amount > 0) impl_->Increment(amount);
}

void Gauge::Set(double value) { impl_->Set(value); }

void Histogram::Observe(double value) {
  if (!std::isnan(value)) impl_->Observe(value);
}

MetricRegistry::MetricRegistry(const MetricRegistryOptions& options)
    : proc_(options.proc), registry_(std::make_unique<prometheus::Registry>()) {
  if (options.version.empty() && options.role.empty()) return;
  AddGauge("distill_build_info", "1; the labels say what is running.",
           {{"version", options.version}, {"role", options.role}})
      ->Set(1);
}

MetricRegistry::~MetricRegistry() = default;

// prometheus-cpp throws or asserts for some of this and serves a broken page for the rest.
void MetricRegistry::CheckLocked(const std::string& name, const MetricLabels& labels,
                                 const Shape& shape) {
  Require(prometheus::CheckMetricName(name), name, "is not a name that Prometheus allows");
  Require(!absl::StartsWith(name, "process_"), name, "process_ is for the registry's own metrics");
  for (const auto& [label, value] : labels) {
    Require(prometheus::CheckLabelName(label) && label != "le", name,
            "has a label that Prometheus does not allow");
  }
  const Shape& known = shapes_.try_emplace(name, shape).first->second;
  Require(known.kind == shape.kind, name, "is already there as another kind");
  Require(known.bounds == shape.bounds, name, "is already there with other bounds");
}

Counter* MetricRegistry::AddCounter(const std::string& name, const std::string& help,
                                    const MetricLabels& labels) {
  absl::MutexLock lock(&mu_);
  CheckLocked(name, labels, {Kind::kCounter, {}});
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(*registry_);
  return &counters_.try_emplace(Key(name, labels), &family.Add(labels)).first->second;
}

Gauge* MetricRegistry::AddGauge(const std::string& name, const std::string& help,
                                const MetricLabels& labels) {
  absl::MutexLock lock(&mu_);
  CheckLocked(name, labels, {Kind::kGauge, {}});
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(*registry_);
  return &gauges_.try_emplace(Key(name, labels), &family.Add(labels)).first->second;
}

Histogram* MetricRegistry::AddHistogram(const std::string& name, const std::string& help,
                                        const MetricLabels& labels,
                                        const std::vector<double>& bounds) {
  absl::MutexLock lock(&mu_);
  Require(Rising(bounds), name, "needs finite bounds that rise");
  CheckLocked(name, labels, {Kind::kHistogram, bounds});
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_);
  return &histograms_.try_emplace(Key(name, labels), &family.Add(labels, bounds)).first->second;
}

std::string MetricRegistry::Serialize() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  if (const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage(proc_); usage.ok()) {
    AppendProcess(*usage, &families);
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::vector<double> DurationBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60};
}

std::vector<double> SizeBuckets() {
  std::vector<double> bounds;
  for (int size = 1; size <= 4096; size *= 2) bounds.push_back(size);
  return bounds;
}

}  // namespace distill
