#include "distillation/data/data_set.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/data/idx_reader.h"
#include "distillation/data/npy_reader.h"
#include "distillation/labels/half.h"

namespace distill {
namespace {

struct Sources {
  v1::ArrayFile examples;
  v1::ArrayFile labels;
};

Sources SourcesOf(const v1::DataSetConfig& config, DataSet::Files which) {
  const bool training = which == DataSet::Files::kTraining;
  if (config.has_idx()) {
    const v1::IdxSource& idx = config.idx();
    return training ? Sources{idx.train_images(), idx.train_labels()}
                    : Sources{idx.test_images(), idx.test_labels()};
  }
  const v1::NpySource& npy = config.npy();
  return training ? Sources{npy.train_examples(), npy.train_labels()}
                  : Sources{npy.test_examples(), npy.test_labels()};
}

template <typename T>
std::vector<float> ToFloats(std::span<const T> values) {
  std::vector<float> floats(values.size());
  for (size_t i = 0; i < values.size(); ++i) floats[i] = static_cast<float>(values[i]);
  return floats;
}

std::vector<float> HalvesToFloats(std::span<const uint16_t> halves) {
  std::vector<float> floats(halves.size());
  for (size_t i = 0; i < halves.size(); ++i) floats[i] = FloatFromHalf(halves[i]);
  return floats;
}

// Bytes stay bytes (a quarter of the memory); everything else becomes float32.
absl::StatusOr<TensorView> ToBytesOrFloats(TensorView examples) {
  std::vector<float> floats;
  switch (examples.type) {
    case ElementType::kUInt8:
    case ElementType::kFloat32:
      return examples;
    case ElementType::kFloat16:
      floats = HalvesToFloats(examples.as<uint16_t>());
      break;
    case ElementType::kFloat64:
      floats = ToFloats(examples.as<double>());
      break;
    case ElementType::kInt32:
      floats = ToFloats(examples.as<int32_t>());
      break;
    case ElementType::kInt64:
      floats = ToFloats(examples.as<int64_t>());
      break;
    case ElementType::kBFloat16:
      return absl::InvalidArgumentError("examples of type bfloat16; save them as float32");
  }
  return MakeTensorView(ElementType::kFloat32, examples.dims, std::move(floats));
}

absl::StatusOr<std::vector<int64_t>> ToIntegers(const TensorView& labels) {
  const auto copy = [](auto values) { return std::vector<int64_t>(values.begin(), values.end()); };
  switch (labels.type) {
    case ElementType::kUInt8:
      return copy(labels.as<uint8_t>());
    case ElementType::kInt32:
      return copy(labels.as<int32_t>());
    case ElementType::kInt64:
      return copy(labels.as<int64_t>());
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "labels of type ", ElementTypeName(labels.type), "; save them as int32 or int64"));
  }
}

absl::StatusOr<std::vector<int32_t>> ReadLabels(const TensorView& labels, uint32_t classes) {
  if (labels.dims.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "labels have the shape [", absl::StrJoin(labels.dims, ", "), "]; one number each is due"));
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> values, ToIntegers(labels));
  std::vector<int32_t> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < -1 || values[i] >= int64_t{classes}) {
      return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                             "example ", i, " has the label ", values[i], ", outside ", classes,
                             " classes; set data_sets.classes to the number there are")),
                         ErrorId::kLabelOutsideClasses);
    }
    result[i] = static_cast<int32_t>(values[i]);
  }
  return result;
}

absl::Status CheckFiniteExamples(const TensorView& examples) {
  if (examples.type != ElementType::kFloat32) return absl::OkStatus();
  const std::span<const float> values = examples.as<float>();
  const size_t per_example = values.size() / static_cast<size_t>(examples.dims[0]);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           "example ", i / per_example, " holds a value that is not finite")),
                       ErrorId::kExampleNotFinite);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const DataSet>> DataSet::Load(FileSystem& files,
                                                             const v1::DataSetConfig& config,
                                                             Files which) {
  const Sources sources = SourcesOf(config, which);
  const auto read = [&](const v1::ArrayFile& file) {
    return config.has_idx() ? ReadIdx(files, file) : ReadNpy(files, file);
  };
  ASSIGN_OR_RETURN(TensorView examples, read(sources.examples));
  ASSIGN_OR_RETURN(const TensorView labels, read(sources.labels));
  auto data = FromArrays(config, std::move(examples), labels, which);
  if (data.ok()) return data;
  return Annotate(data.status(),
                  absl::StrCat("data set ", config.name(), " (", sources.examples.path(), ", ",
                               sources.labels.path(), ")"));
}

absl::StatusOr<std::shared_ptr<const DataSet>> DataSet::FromArrays(const v1::DataSetConfig& config,
                                                                   TensorView examples,
                                                                   const TensorView& labels,
                                                                   Files which) {
  const size_t rank = examples.dims.size();
  if (rank < 2 || rank > 4 || examples.elements() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("examples have the shape [", absl::StrJoin(examples.dims, ", "),
                     "]; due are [n, h, w], [n, c, h, w] or [n, features], none of them 0"));
  }
  std::shared_ptr<DataSet> data(new DataSet);
  data->name_ = config.name();
  data->classes_ = config.classes();
  data->files_ = which;
  data->example_dims_.assign(examples.dims.begin() + 1, examples.dims.end());
  const std::vector<int64_t>& dims = data->example_dims_;
  data->shape_ = {dims.size() == 3 ? dims[0] : 1, dims.size() == 1 ? 1 : dims[dims.size() - 2],
                  dims.back()};
  data->normalization_ = {config.scale(), config.mean(), config.deviation()};
  ASSIGN_OR_RETURN(data->examples_, ToBytesOrFloats(std::move(examples)));
  RETURN_IF_ERROR(CheckFiniteExamples(data->examples_));
  ASSIGN_OR_RETURN(data->labels_, ReadLabels(labels, config.classes()));
  const auto count = static_cast<size_t>(data->examples_.dims[0]);
  if (data->labels_.size() != count) {
    return absl::InvalidArgumentError(
        absl::StrCat(count, " examples and ", data->labels_.size(), " labels"));
  }
  if (which == Files::kTraining) {
    data->validation_ = config.validation_examples();
    if (data->validation_ >= count) {
      return absl::InvalidArgumentError(absl::StrCat("validation_examples is ", data->validation_,
                                                     " of ", count,
                                                     " training examples; leave some to train on"));
    }
  }
  return data;
}

uint64_t DataSet::size(v1::Split split) const {
  const bool training = files_ == Files::kTraining;
  if (split == v1::TRAIN) return training ? labels_.size() - validation_ : 0;
  if (split == v1::VALIDATION) return training ? validation_ : 0;
  return split == v1::TEST && !training ? labels_.size() : 0;
}

uint64_t DataSet::Offset(v1::Split split) const {
  return split == v1::VALIDATION ? labels_.size() - validation_ : 0;
}

std::span<const int32_t> DataSet::labels(v1::Split split) const {
  if (size(split) == 0) return {};
  return std::span<const int32_t>(labels_).subspan(Offset(split), size(split));
}

absl::StatusOr<TensorView> DataSet::Examples(v1::Split split, std::span<const uint64_t> ids,
                                             std::span<const uint64_t> view_seeds,
                                             const v1::ViewSpec& spec) const {
  std::vector<float> out(ids.size() * static_cast<size_t>(shape_.values()));
  RETURN_IF_ERROR(WriteExamples(split, ids, view_seeds, spec, std::span(out)));
  std::vector<int64_t> dims = {static_cast<int64_t>(ids.size())};
  dims.insert(dims.end(), example_dims_.begin(), example_dims_.end());
  return MakeTensorView(ElementType::kFloat32, std::move(dims), std::move(out));
}

absl::Status DataSet::WriteExamples(v1::Split split, std::span<const uint64_t> ids,
                                    std::span<const uint64_t> view_seeds, const v1::ViewSpec& spec,
                                    std::span<float> out) const {
  if (!view_seeds.empty() && view_seeds.size() != ids.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ids.size(), " examples and ", view_seeds.size(), " view seeds"));
  }
  if (example_dims_.size() == 1 && (spec.horizontal_flip() || spec.max_shift_pixels() > 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data set ", name_, " holds feature rows, which cannot be mirrored or shifted"));
  }
  const auto values = static_cast<size_t>(shape_.values());
  if (out.size() != ids.size() * values) {
    return absl::InvalidArgumentError(
        absl::StrCat("room for ", out.size(), " values and ", ids.size(), " examples of ", values));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= size(split)) {
      return absl::OutOfRangeError(absl::StrCat("example ", ids[i], " of ", size(split), " in the ",
                                                v1::Split_Name(split), " split of data set ",
                                                name_));
    }
    const uint64_t seed = view_seeds.empty() ? 0 : view_seeds[i];
    const size_t begin = (Offset(split) + ids[i]) * values;
    const std::span<float> row = out.subspan(i * values, values);
    if (examples_.type == ElementType::kUInt8) {
      MakeView(examples_.as<uint8_t>().subspan(begin, values), shape_, normalization_, spec, seed,
               row);
    } else {
      MakeView(examples_.as<float>().subspan(begin, values), shape_, normalization_, spec, seed,
               row);
    }
  }
  return absl::OkStatus();
}

}  // namespace distill
