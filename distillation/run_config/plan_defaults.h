// Fills in what a configuration leaves open, so that nothing later has to guess.
#ifndef DISTILLATION_RUN_CONFIG_PLAN_DEFAULTS_H_
#define DISTILLATION_RUN_CONFIG_PLAN_DEFAULTS_H_

#include "proto/run_config.pb.h"

namespace distill {

// The plan with every default written out; what is set stays. Pure and idempotent.
//   data set     scale 255 for IDX, 1 for .npy; deviation 1
//   train_on     all examples with teachers, the labelled ones without
//   objective    hard cross-entropy alone for a run without teachers and terms
//   terms        named after their kind; hard terms weighed by hard_weight, soft
//                ones by soft_weight; logit_mse by ELEMENT_MEAN
//   schedules    with teachers: temperature 4, soft weight 0.9, hard weight 0.1;
//                without: 1, 0 and 1. A learning rate has no default.
//   teachers     one output, "logits"
//   training     world of 1, SGD with momentum 0.9, a checkpoint every tenth of
//                the steps, of which 2 are kept
//   labels       window of 4 steps, codecs dense_fp16 then dense_fp32, 30 s
//   serving      batches of 256, delay 2 ms, queue of 4096
//   processes    as many students as the largest world, one teacher server if a run
//                asks teachers, one thread each, on 127.0.0.1
v1::PlanConfig ResolvePlan(v1::PlanConfig plan);

}  // namespace distill

#endif  // DISTILLATION_RUN_CONFIG_PLAN_DEFAULTS_H_
