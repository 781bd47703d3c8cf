// A data set in memory: examples, labels, splits, and the views that models read.
#ifndef DISTILLATION_DATA_DATA_SET_H_
#define DISTILLATION_DATA_DATA_SET_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/view.h"
#include "proto/run_config.pb.h"
#include "proto/types.pb.h"

namespace distill {

// Immutable, hence thread-safe. Ids of a split count from 0; VALIDATION is the last
// validation_examples of the training file.
//
//   ASSIGN_OR_RETURN(auto data, DataSet::Load(files, config, DataSet::Files::kTraining));
//   ASSIGN_OR_RETURN(TensorView batch, data->Examples(v1::TRAIN, ids, {}, view));
class DataSet {
 public:
  // Training files hold TRAIN and VALIDATION, test files TEST: what chooses nothing
  // on the test split need not read it.
  enum class Files { kTraining, kTest };

  // Errors of the readers (idx_reader.h, npy_reader.h); INVALID_ARGUMENT, naming the
  // file and the example, where labels and examples do not fit one another, the number
  // of classes or the validation split.
  static absl::StatusOr<std::shared_ptr<const DataSet>> Load(FileSystem& files,
                                                             const v1::DataSetConfig& config,
                                                             Files which);

  // From arrays in memory: examples [n, ...] of bytes or numbers, labels [n] of
  // integers. Errors as Load.
  static absl::StatusOr<std::shared_ptr<const DataSet>> FromArrays(const v1::DataSetConfig& config,
                                                                   TensorView examples,
                                                                   const TensorView& labels,
                                                                   Files which);

  const std::string& name() const { return name_; }
  // Of one example: [h, w], [c, h, w] or [features].
  const std::vector<int64_t>& example_dims() const { return example_dims_; }
  uint32_t classes() const { return classes_; }
  // 0 for a split that was not loaded.
  uint64_t size(v1::Split split) const;
  // -1: no label.
  std::span<const int32_t> labels(v1::Split split) const;

  // float32 [ids, example dims...], normalised. `view_seeds` as many as ids, or none
  // for un-augmented views. OUT_OF_RANGE for an id beyond the split, INVALID_ARGUMENT
  // for other counts and for an image view of feature rows.
  absl::StatusOr<TensorView> Examples(v1::Split split, std::span<const uint64_t> ids,
                                      std::span<const uint64_t> view_seeds,
                                      const v1::ViewSpec& spec) const;
  // The same into `out`, which has room for exactly them: INVALID_ARGUMENT otherwise.
  absl::Status WriteExamples(v1::Split split, std::span<const uint64_t> ids,
                             std::span<const uint64_t> view_seeds, const v1::ViewSpec& spec,
                             std::span<float> out) const;

 private:
  DataSet() = default;
  uint64_t Offset(v1::Split split) const;

  std::string name_;
  std::vector<int64_t> example_dims_;
  uint32_t classes_ = 0;
  ExampleShape shape_;
  Normalization normalization_;
  // uint8 or float32 [n, ...].
  TensorView examples_;
  std::vector<int32_t> labels_;
  Files files_ = Files::kTraining;
  uint64_t validation_ = 0;
};

}  // namespace distill

#endif  // DISTILLATION_DATA_DATA_SET_H_
