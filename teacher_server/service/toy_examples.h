// For tests: a data set whose examples tell themselves apart.
#ifndef TEACHER_SERVER_SERVICE_TOY_EXAMPLES_H_
#define TEACHER_SERVER_SERVICE_TOY_EXAMPLES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "proto/run_config.pb.h"

namespace distill {

// `count` examples of shape [1, 2], at most 256; that of id i is (1, i).
inline std::shared_ptr<const DataSet> ToyExamples(int count, int classes) {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(classes);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    pixels.push_back(1);
    pixels.push_back(static_cast<uint8_t>(i));
  }
  return DataSet::FromArrays(
             config, MakeTensorView(ElementType::kUInt8, {count, 1, 2}, pixels),
             MakeTensorView(ElementType::kInt64, {count}, std::vector<int64_t>(count)),
             DataSet::Files::kTraining)
      .value();
}

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_TOY_EXAMPLES_H_
