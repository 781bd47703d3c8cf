// For tests of the label server: eight examples of two values, the last of them one whose
// fake logits are all alike.
#ifndef TEACHER_SERVER_SERVICE_FLAT_EXAMPLE_DATA_H_
#define TEACHER_SERVER_SERVICE_FLAT_EXAMPLE_DATA_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "proto/run_config.pb.h"
#include "teacher_server/runner/interface.h"

namespace distill {

inline constexpr int kExamples = 8;
// Its logits are all zero.
inline constexpr uint64_t kFlatExample = 7;

// Crashes where the data set is refused.
inline std::shared_ptr<const DataSet> FlatExampleData() {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(3);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<uint8_t> pixels;
  for (int i = 0; i < kExamples - 1; ++i) {
    pixels.push_back(i + 1);
    pixels.push_back(10 * i);
  }
  pixels.insert(pixels.end(), {0, 0});
  return DataSet::FromArrays(
             config, MakeTensorView(ElementType::kUInt8, {kExamples, 1, 2}, pixels),
             MakeTensorView(ElementType::kInt64, {kExamples}, std::vector<int64_t>(kExamples, 0)),
             DataSet::Files::kTraining)
      .value();
}

// The model that the fake runner plays for them.
inline ModelDescription FlatExampleModel() { return {"f00d", "test", {1, 2}, 3, {"logits"}}; }

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_FLAT_EXAMPLE_DATA_H_
