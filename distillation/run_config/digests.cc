#include "distillation/run_config/digests.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"

namespace distill {
namespace {

// Map entries sorted, so that equal messages give equal bytes.
std::string Bytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

void ForgetPlace(v1::ArrayFile* file) {
  if (!file->sha256().empty()) file->clear_path();
}

}  // namespace

std::string DataSetDigest(const v1::DataSetConfig& data_set) {
  v1::DataSetConfig content = data_set;
  content.clear_name();
  if (content.has_idx()) {
    ForgetPlace(content.mutable_idx()->mutable_train_images());
    ForgetPlace(content.mutable_idx()->mutable_train_labels());
    ForgetPlace(content.mutable_idx()->mutable_test_images());
    ForgetPlace(content.mutable_idx()->mutable_test_labels());
  }
  if (content.has_npy()) {
    ForgetPlace(content.mutable_npy()->mutable_train_examples());
    ForgetPlace(content.mutable_npy()->mutable_train_labels());
    ForgetPlace(content.mutable_npy()->mutable_test_examples());
    ForgetPlace(content.mutable_npy()->mutable_test_labels());
  }
  return Sha256Hex(Bytes(content));
}

std::string ViewSpecDigest(const v1::ViewSpec& view) {
  v1::ViewSpec content = view;
  content.clear_views_per_example();
  return Sha256Hex(Bytes(content));
}

std::string RunConfigDigest(const v1::RunConfig& run, uint64_t seed) {
  return Sha256Hex(absl::StrCat(seed, "\n", Bytes(run)));
}

std::string PlanDigest(const v1::PlanConfig& plan) { return Sha256Hex(Bytes(plan)); }

}  // namespace distill
