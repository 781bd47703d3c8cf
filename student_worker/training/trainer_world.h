// Small data sets, and worlds of ranks in one process, for tests of the trainer.
#ifndef STUDENT_WORKER_TRAINING_TRAINER_WORLD_H_
#define STUDENT_WORKER_TRAINING_TRAINER_WORLD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "distillation/data/data_set.h"
#include "student_worker/training/trainer.h"

namespace distill {

// 24 rows of 3 features, of which class 0 and 1 are told apart by the first; the last
// `unlabelled` have no label.
std::shared_ptr<const DataSet> Data(int unlabelled = 0);

// 24 pictures, 4 x 4, of two classes.
std::shared_ptr<const DataSet> Pictures(uint32_t validation_examples = 0);

// Of a multi-layer perceptron; and of a model with running statistics.
TrainerOptions Options(int ranks, uint64_t seed = 3);
TrainerOptions PictureOptions(int ranks);

StepValues Values();

// Runs `body` on every rank of a world, each on a thread of its own.
void InWorld(int ranks, const TrainerOptions& options,
             const std::function<void(int rank, Trainer& trainer)>& body,
             const std::shared_ptr<const DataSet>& data = Data());

// The digest of the model after so many steps, which all ranks must agree on.
std::string Train(int ranks, const TrainerOptions& options, int64_t steps);

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_TRAINER_WORLD_H_
