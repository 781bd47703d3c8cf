#include "distillation/data/idx_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr size_t kHeaderBytes = 4;
constexpr unsigned char kUnsignedByte = 0x08;

bool IsGzip(const std::string& bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

// Ends the stream whatever happens.
class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }
  ~Inflater() {
    if (ok_) inflateEnd(&stream_);
  }

  absl::StatusOr<std::string> Run(const std::string& bytes, size_t max_bytes) {
    if (!ok_) return absl::ResourceExhaustedError("no memory to uncompress it");
    if (bytes.size() > std::numeric_limits<uInt>::max()) {
      return absl::ResourceExhaustedError("it is larger than 4 GiB; store it uncompressed");
    }
    std::string out;
    std::array<char, 1 << 16> chunk;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    for (int result = Z_OK; result != Z_STREAM_END;) {
      stream_.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream_.avail_out = chunk.size();
      result = inflate(&stream_, Z_NO_FLUSH);
      // Z_BUF_ERROR: the input has ended and the stream has not.
      if (result != Z_OK && result != Z_STREAM_END) {
        return WithErrorId(
            absl::DataLossError("its gzip data are damaged or truncated; get the file anew"),
            ErrorId::kDataTruncated);
      }
      out.append(chunk.data(), chunk.size() - stream_.avail_out);
      if (out.size() > max_bytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat("it holds more than ", max_bytes, " bytes uncompressed; split the file"));
      }
    }
    if (stream_.avail_in != 0) {
      return absl::InvalidArgumentError(
          "something follows its gzip data; write the file as one gzip stream");
    }
    return out;
  }

 private:
  z_stream stream_{};
  bool ok_ = false;
};

absl::StatusOr<std::vector<int64_t>> ParseHeader(const std::string& bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < kHeaderBytes || byte(0) != 0 || byte(1) != 0) {
    return WithErrorId(
        absl::InvalidArgumentError("it is not an IDX file; check the path, or convert it"),
        ErrorId::kDataFormat);
  }
  if (byte(2) != kUnsignedByte) {
    return WithErrorId(
        absl::InvalidArgumentError("its elements are not unsigned bytes; convert it, e.g. to .npy"),
        ErrorId::kDataFormat);
  }
  const size_t rank = byte(3);
  if (rank == 0 || bytes.size() < kHeaderBytes + 4 * rank) {
    return WithErrorId(absl::DataLossError("its header is truncated; get the file anew"),
                       ErrorId::kDataTruncated);
  }
  std::vector<int64_t> dims;
  for (size_t d = 0; d < rank; ++d) {
    const size_t at = kHeaderBytes + 4 * d;
    dims.push_back(int64_t{byte(at)} << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3));
  }
  return dims;
}

absl::StatusOr<TensorView> Parse(std::string bytes) {
  ASSIGN_OR_RETURN(std::vector<int64_t> dims, ParseHeader(bytes));
  ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(dims, 1));
  const size_t header = kHeaderBytes + 4 * dims.size();
  const size_t present = bytes.size() - header;
  if (present < static_cast<size_t>(elements)) {
    return WithErrorId(absl::DataLossError(absl::StrCat("it is truncated: its header promises ",
                                                        elements, " elements and there are ",
                                                        present, "; get the file anew")),
                       ErrorId::kDataTruncated);
  }
  if (present > static_cast<size_t>(elements)) {
    return absl::InvalidArgumentError(absl::StrCat("its header promises ", elements,
                                                   " elements and there are ", present,
                                                   "; get the file anew, or correct its header"));
  }
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  TensorView view;
  view.type = ElementType::kUInt8;
  view.dims = std::move(dims);
  view.bytes = std::as_bytes(std::span<const char>(*owner).subspan(header));
  view.owner = owner;
  return view;
}

absl::StatusOr<TensorView> Decode(std::string bytes, const std::string& sha256, size_t max_bytes) {
  if (IsGzip(bytes)) {
    ASSIGN_OR_RETURN(bytes, Inflater().Run(bytes, max_bytes));
  }
  if (!sha256.empty()) {
    const std::string actual = Sha256Hex(bytes);
    if (actual != sha256) {
      return WithErrorId(
          absl::DataLossError(absl::StrCat("it has been altered: the SHA-256 of its uncompressed "
                                           "bytes is ",
                                           actual, " and should be ", sha256,
                                           "; get the file anew, or correct sha256")),
          ErrorId::kDataAltered);
    }
  }
  return Parse(std::move(bytes));
}

}  // namespace

absl::StatusOr<TensorView> ReadIdx(FileSystem& files, const v1::ArrayFile& file, size_t max_bytes) {
  ASSIGN_OR_RETURN(std::string bytes, files.Read(file.path(), max_bytes));
  absl::StatusOr<TensorView> view = Decode(std::move(bytes), file.sha256(), max_bytes);
  if (!view.ok()) return Annotate(view.status(), file.path());
  return view;
}

}  // namespace distill
