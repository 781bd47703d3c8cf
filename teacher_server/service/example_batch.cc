#include "teacher_server/service/example_batch.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "common/status/status_macros.h"

namespace distill {

ExampleBatch::ExampleBatch(int64_t max_rows, const std::vector<int64_t>& example_dims)
    : max_rows_(max_rows), dims_(example_dims) {
  for (const int64_t dim : example_dims) values_ *= static_cast<size_t>(dim);
  bytes_ = std::make_shared<AlignedBytes>(static_cast<size_t>(max_rows) * values_ * sizeof(float));
}

std::span<float> ExampleBatch::Room(int64_t rows) {
  ABSL_RAW_CHECK(rows <= max_rows_ - rows_, "more examples than the batch has room for");
  return std::span(reinterpret_cast<float*>(bytes_->data()), bytes_->size() / sizeof(float))
      .subspan(static_cast<size_t>(rows_) * values_, static_cast<size_t>(rows) * values_);
}

absl::Status ExampleBatch::Add(const SentExamples& examples) {
  const int64_t rows = examples.dims.at(0);
  if (!CopyChecked(examples.bytes, examples.crc32c, std::as_writable_bytes(Room(rows)))) {
    return absl::DataLossError(
        "the examples that came along do not have the CRC-32C that was sent with them; ask again");
  }
  rows_ += rows;
  return absl::OkStatus();
}

absl::Status ExampleBatch::Add(const v1::ExampleRefs& examples, const DataSet& data) {
  const int64_t rows = examples.ids_size();
  RETURN_IF_ERROR(data.WriteExamples(
      examples.split(), {examples.ids().data(), static_cast<size_t>(rows)},
      {examples.view_seeds().data(), static_cast<size_t>(examples.view_seeds_size())},
      examples.view_spec(), Room(rows)));
  rows_ += rows;
  return absl::OkStatus();
}

TensorView ExampleBatch::Take() {
  TensorView view;
  view.type = ElementType::kFloat32;
  view.dims = std::move(dims_);
  view.dims.insert(view.dims.begin(), rows_);
  view.bytes = std::as_bytes(std::span(bytes_->data(), rows_ * values_ * sizeof(float)));
  view.owner = std::move(bytes_);
  return view;
}

}  // namespace distill
