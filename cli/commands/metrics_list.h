// The catalogue of metrics as `distillctl metrics list` prints it.
#ifndef CLI_COMMANDS_METRICS_LIST_H_
#define CLI_COMMANDS_METRICS_LIST_H_

#include <span>
#include <string>

#include "common/metrics/catalogue.h"

namespace distill {

// For people: name, kind and labels, then what it is, a metric a paragraph.
std::string MetricsText(std::span<const MetricRow> rows);
// A metric a line of at most `width` columns, below their titles where `headers`; a wide one has
// labels and units too.
std::string MetricsTable(std::span<const MetricRow> rows, int width, bool wide, bool headers);
// A name a line.
std::string MetricsNames(std::span<const MetricRow> rows);
// {"version": 1, "metrics": [{name, type, of, labels, unit, buckets, help, more}]}; `of` is
// "every process" or a kind of process. `buckets` are there for histograms only.
std::string MetricsJson(std::span<const MetricRow> rows);
// docs/metrics_list.md: a heading and a table for each kind of process.
std::string MetricsMarkdown(std::span<const MetricRow> rows);

}  // namespace distill

#endif  // CLI_COMMANDS_METRICS_LIST_H_
