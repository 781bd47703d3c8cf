// How many bytes a run's labels take on their way, and whether they could take fewer.
#ifndef CLI_REPORT_LABEL_TRAFFIC_H_
#define CLI_REPORT_LABEL_TRAFFIC_H_

#include "proto/run_config.pb.h"
#include "student_worker/accounting/verdict.h"

namespace distill {

// Of the first of labels.codecs, which teacher servers take unless they are older than it.
// `smaller` is the smallest of dense_fp16 and top_k/16 that suits the run's terms and
// temperatures (docs/codecs.md), if it saves a fifth or more; codecs that cost accuracy are
// nobody's to name but the user's. Nothing is known where the plan lacks the data set or the
// codec, and of hidden codecs: their size is the teacher's.
LabelTraffic TrafficOf(const v1::PlanConfig& plan, const v1::RunConfig& run);

}  // namespace distill

#endif  // CLI_REPORT_LABEL_TRAFFIC_H_
