#include "common/rpc/framing.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/status_conversion.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr size_t kMaxMessageBytes = std::numeric_limits<int32_t>::max();

// Reads the slices of a ByteBuffer in place.
class SliceStream : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit SliceStream(const std::vector<grpc::Slice>& slices) : slices_(slices) {}

  bool Next(const void** data, int* size) override {
    while (index_ < slices_.size() && offset_ == slices_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
    if (index_ == slices_.size()) return false;
    *data = slices_[index_].begin() + offset_;
    *size = static_cast<int>(slices_[index_].size() - offset_);
    offset_ = slices_[index_].size();
    read_ += *size;
    return true;
  }

  void BackUp(int count) override {
    offset_ -= count;
    read_ -= count;
  }

  bool Skip(int count) override {
    const void* data;
    int size;
    while (count > 0) {
      if (!Next(&data, &size)) return false;
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return true;
  }

  int64_t ByteCount() const override { return read_; }

 private:
  const std::vector<grpc::Slice>& slices_;
  size_t index_ = 0;
  size_t offset_ = 0;
  int64_t read_ = 0;
};

absl::Status Malformed(int position, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("message refused at byte ", position, ": ", why));
}

// Stops before the tag of the payload, or at the end; returns where that is.
absl::StatusOr<int> FindPayload(CodedInputStream* input, uint32_t payload_tag) {
  while (true) {
    const int position = input->CurrentPosition();
    const uint32_t tag = input->ReadTag();
    if (tag == payload_tag) return position;
    if (tag == 0) {
      if (!input->ConsumedEntireMessage()) return Malformed(position, "not a field's tag");
      return position;
    }
    if (tag >> 3 == payload_tag >> 3) return Malformed(position, "payload is not a bytes field");
    if (!WireFormatLite::SkipField(input, tag)) {
      return Malformed(position, "field is malformed or truncated");
    }
  }
}

absl::StatusOr<size_t> PayloadBytes(CodedInputStream* input, size_t total, size_t limit) {
  uint32_t size = 0;
  if (!input->ReadVarint32(&size)) return Malformed(input->CurrentPosition(), "no payload length");
  const size_t position = input->CurrentPosition();
  if (size > limit) {
    return absl::ResourceExhaustedError(absl::StrCat("message refused: its payload claims ", size,
                                                     " bytes, the limit is ", limit,
                                                     "; send smaller parts"));
  }
  if (size != total - position) {
    return Malformed(position, size > total - position ? "payload is truncated"
                                                       : "something follows the payload");
  }
  return size;
}

// The last `size` bytes of the slices.
std::vector<std::string_view> LastBytes(const std::vector<grpc::Slice>& slices, size_t size) {
  std::vector<std::string_view> last;
  for (auto slice = slices.rbegin(); size > 0 && slice != slices.rend(); ++slice) {
    std::string_view bytes(reinterpret_cast<const char*>(slice->begin()), slice->size());
    if (bytes.size() > size) bytes.remove_prefix(bytes.size() - size);
    size -= bytes.size();
    last.push_back(bytes);
  }
  std::reverse(last.begin(), last.end());
  return last;
}

bool ParseHead(const std::vector<grpc::Slice>& slices, int size,
               google::protobuf::MessageLite* head) {
  SliceStream stream(slices);
  CodedInputStream input(&stream);
  input.PushLimit(size);
  return head->ParseFromCodedStream(&input) && input.CurrentPosition() == size;
}

}  // namespace

absl::StatusOr<ByteSlices> SplitFrame(const grpc::ByteBuffer& frame, int payload_field,
                                      const FrameLimits& limits,
                                      google::protobuf::MessageLite* head) {
  const size_t total = frame.Length();
  if (total > kMaxMessageBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("message refused: ", total, " bytes; send smaller parts"));
  }
  const auto held = std::make_shared<std::vector<grpc::Slice>>();
  std::vector<grpc::Slice>& slices = *held;
  RETURN_IF_ERROR(FromGrpcStatus(frame.Dump(&slices)));
  SliceStream stream(slices);
  CodedInputStream input(&stream);
  const uint32_t tag =
      WireFormatLite::MakeTag(payload_field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  ASSIGN_OR_RETURN(const int head_bytes, FindPayload(&input, tag));
  if (static_cast<size_t>(head_bytes) > limits.max_head_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("message refused: ", head_bytes,
                                                     " bytes before its payload, the limit is ",
                                                     limits.max_head_bytes));
  }
  size_t payload_bytes = 0;
  if (static_cast<size_t>(head_bytes) < total) {
    ASSIGN_OR_RETURN(payload_bytes, PayloadBytes(&input, total, limits.max_payload_bytes));
  }
  if (!ParseHead(slices, head_bytes, head)) return Malformed(0, "its head does not parse");
  if (payload_bytes == 0) return ByteSlices();
  return ByteSlices{LastBytes(slices, payload_bytes), held};
}

grpc::Slice OwnedSlice(std::string_view bytes, std::shared_ptr<const void> owner) {
  if (bytes.empty()) return grpc::Slice();
  auto* held = new std::shared_ptr<const void>(std::move(owner));
  return grpc::Slice(
      const_cast<char*>(bytes.data()), bytes.size(),
      [](void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }, held);
}

absl::StatusOr<grpc::ByteBuffer> BuildFrame(const google::protobuf::Message& head,
                                            int payload_field, const ByteSlices& payload) {
  const auto* field = head.GetDescriptor()->FindFieldByNumber(payload_field);
  if (field == nullptr || field->is_repeated() ||
      field->type() != google::protobuf::FieldDescriptor::TYPE_BYTES ||
      head.GetReflection()->HasField(head, field)) {
    return absl::InvalidArgumentError(
        absl::StrCat("field ", payload_field, " of ", head.GetTypeName(),
                     " is not an empty bytes field; clear it and pass the bytes as slices"));
  }
  const size_t payload_bytes = payload.size();
  std::string start = head.SerializeAsString();
  if (payload_bytes > kMaxMessageBytes || start.size() + payload_bytes + 16 > kMaxMessageBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("payload of ", payload_bytes, " bytes is too large for a message; split it"));
  }
  std::vector<grpc::Slice> slices;
  if (payload_bytes > 0) {
    uint8_t prefix[16];
    uint8_t* end = WireFormatLite::WriteTagToArray(
        payload_field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, prefix);
    end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
        static_cast<uint32_t>(payload_bytes), end);
    start.append(reinterpret_cast<const char*>(prefix), end - prefix);
  }
  slices.emplace_back(start);
  for (const std::string_view slice : payload.slices) {
    if (!slice.empty()) slices.push_back(OwnedSlice(slice, payload.owner));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace distill
