#include "distillation/label_sets/label_set_for_test.h"

#include "absl/base/internal/raw_logging.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/label_sets/writer.h"

namespace distill {

LabelSetIdentity SmallIdentity() {
  LabelSetIdentity identity;
  identity.fingerprint = "f00d";
  identity.output = "logits";
  identity.numerics_class = "avx2";
  identity.data_set_digest = "data";
  identity.split = v1::TRAIN;
  identity.view_spec_digest = "view";
  identity.views = 2;
  identity.view_seed = 7;
  identity.codec = "dense_fp16";
  identity.classes = 3;
  identity.examples = 75;
  identity.block_rows = 8;
  identity.part_blocks = 4;
  return identity;
}

std::vector<float> TrueRow(uint64_t row) {
  const float base = static_cast<float>(row);
  return {base, base - 0.5f, base - 2};
}

EncodedLabels TrueBlock(const LabelSetIdentity& identity, uint64_t block) {
  std::vector<float> values;
  const uint64_t first = block * identity.block_rows;
  for (uint64_t row = first; row < first + identity.RowsOf(block); ++row) {
    for (const float value : TrueRow(row)) values.push_back(value);
  }
  const auto rows = static_cast<int64_t>(identity.RowsOf(block));
  auto codec = FindCodec(identity.codec);
  ABSL_RAW_CHECK(codec.ok(), "no such codec");
  auto labels = (*codec)->Encode(MakeTensorView(
      ElementType::kFloat32, {rows, static_cast<int64_t>(identity.classes)}, std::move(values)));
  ABSL_RAW_CHECK(labels.ok(), "the labels of a test do not encode");
  return *std::move(labels);
}

absl::Status FillAll(FileSystem* files, const std::string& directory,
                     const LabelSetIdentity& identity) {
  ASSIGN_OR_RETURN(const auto writer, LabelSetWriter::Open(files, directory, identity, {}));
  for (const uint64_t block : writer->MissingBlocks()) {
    RETURN_IF_ERROR(writer->Add(block, TrueBlock(identity, block)));
  }
  return writer->Finish();
}

std::map<std::string, std::string> FilesIn(FileSystem& files, const std::string& directory) {
  std::map<std::string, std::string> all;
  const auto names = files.List(directory);
  if (!names.ok()) return all;
  for (const std::string& name : *names) {
    all[name] = files.Read(JoinPath(directory, name), size_t{1} << 30).value();
  }
  return all;
}

}  // namespace distill
