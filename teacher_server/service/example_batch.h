// The examples of one inference batch, of several requests together.
#ifndef TEACHER_SERVER_SERVICE_EXAMPLE_BATCH_H_
#define TEACHER_SERVER_SERVICE_EXAMPLE_BATCH_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "common/bytes/aligned_bytes.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "proto/teacher.pb.h"
#include "teacher_server/label_stream/label_stream.h"

namespace distill {

// Thread-compatible. Each example is copied once, from where gRPC received it or from the
// data set, to its place in aligned memory.
class ExampleBatch {
 public:
  // With room for `max_rows` examples of `example_dims`.
  ExampleBatch(int64_t max_rows, const std::vector<int64_t>& example_dims);

  // Behind those before. DATA_LOSS: the bytes are not what the student sent, it may ask
  // again; else as DataSet::WriteExamples. Where it fails nothing is added. Crashes beyond
  // max_rows.
  absl::Status Add(const SentExamples& examples);
  absl::Status Add(const v1::ExampleRefs& examples, const DataSet& data);

  int64_t rows() const { return rows_; }
  // float32 [rows, example dims...]. Ends the batch.
  TensorView Take();

 private:
  std::span<float> Room(int64_t rows);

  const int64_t max_rows_;
  std::vector<int64_t> dims_;
  // Floats of one example.
  size_t values_ = 1;
  std::shared_ptr<AlignedBytes> bytes_;
  int64_t rows_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_EXAMPLE_BATCH_H_
