// Digests that tie checkpoints, labels and caches to what they were made with: the
// SHA-256 (hex) of a message's deterministic bytes. Pure. Equal digests mean equal
// meaning only among resolved messages (plan_defaults.h).
#ifndef DISTILLATION_RUN_CONFIG_DIGESTS_H_
#define DISTILLATION_RUN_CONFIG_DIGESTS_H_

#include <cstdint>
#include <string>

#include "proto/run_config.pb.h"
#include "proto/types.pb.h"

namespace distill {

// Of the data, wherever it lies: files with a sha256 count by it, others by path.
std::string DataSetDigest(const v1::DataSetConfig& data_set);

// Of what a view does; views_per_example, which only chooses seeds, does not enter.
std::string ViewSpecDigest(const v1::ViewSpec& view);

// Of all that decides a run's weights but the data: RunConfig and the plan's seed.
std::string RunConfigDigest(const v1::RunConfig& run, uint64_t seed);

// Of the whole plan, for people and reports.
std::string PlanDigest(const v1::PlanConfig& plan);

}  // namespace distill

#endif  // DISTILLATION_RUN_CONFIG_DIGESTS_H_
