#include "distillation/data/npy_reader.h"

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are used as they are stored");

constexpr std::string_view kMagic = "\x93NUMPY";
// Where the length of the header stands: after the magic and the version.
constexpr size_t kLengthAt = 8;
// NumPy itself loads at most 10,000 bytes of header; a simple array's has 118.
constexpr size_t kMaxHeaderBytes = 10'000;
// As many as NumPy's arrays have.
constexpr size_t kMaxRank = 64;

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> dims;
};

// The dictionary in the header: a grammar of strings, booleans and a tuple of
// integers, not Python. Linear in its text and without recursion.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  absl::StatusOr<Header> Run() {
    RETURN_IF_ERROR(Expect('{'));
    while (!Accept('}')) {
      RETURN_IF_ERROR(Entry());
      if (Accept(',')) continue;
      RETURN_IF_ERROR(Expect('}'));
      break;
    }
    SkipBlanks();
    if (at_ != text_.size()) return Malformed("nothing more");
    if (!descr_) return Malformed("the key 'descr'");
    if (!fortran_order_) return Malformed("the key 'fortran_order'");
    if (!dims_) return Malformed("the key 'shape'");
    return Header{*std::move(descr_), *fortran_order_, *std::move(dims_)};
  }

 private:
  absl::Status Entry() {
    ASSIGN_OR_RETURN(const std::string key, String());
    RETURN_IF_ERROR(Expect(':'));
    if (key == "descr" && !descr_) {
      ASSIGN_OR_RETURN(descr_, Descr());
    } else if (key == "fortran_order" && !fortran_order_) {
      ASSIGN_OR_RETURN(fortran_order_, Boolean());
    } else if (key == "shape" && !dims_) {
      ASSIGN_OR_RETURN(dims_, Tuple());
    } else {
      return Malformed("one each of the keys 'descr', 'fortran_order' and 'shape'");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Descr() {
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] == '[') {
      return absl::InvalidArgumentError(
          "its elements are records of several fields; save one field to a file: "
          "numpy.save(path, array['field'])");
    }
    return String();
  }

  // Without escapes: no type that is read has any.
  absl::StatusOr<std::string> String() {
    SkipBlanks();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
      return Malformed("a string");
    }
    const size_t begin = at_ + 1;
    const size_t end = text_.find(text_[at_], begin);
    if (end == text_.npos) return Malformed("a string that ends");
    const std::string value(text_.substr(begin, end - begin));
    if (value.find('\\') != value.npos) return Malformed("a string without backslashes");
    at_ = end + 1;
    return value;
  }

  absl::StatusOr<bool> Boolean() {
    SkipBlanks();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    return Malformed("True or False");
  }

  // (), (2,), (2, 3) or (2, 3,); (2) is a number in Python.
  absl::StatusOr<std::vector<int64_t>> Tuple() {
    std::vector<int64_t> values;
    RETURN_IF_ERROR(Expect('('));
    bool comma = true;
    while (!Accept(')')) {
      if (!comma) return Malformed("',' or ')'");
      if (values.size() == kMaxRank) return Malformed(absl::StrCat("at most ", kMaxRank, " sizes"));
      ASSIGN_OR_RETURN(values.emplace_back(), Integer());
      comma = Accept(',');
    }
    if (values.size() == 1 && !comma) return Malformed("',' after the only size");
    return values;
  }

  absl::StatusOr<int64_t> Integer() {
    SkipBlanks();
    const std::string_view rest = text_.substr(at_);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc::result_out_of_range) return Malformed("a size below 2^63");
    if (error != std::errc()) return Malformed("an integer");
    const size_t length = static_cast<size_t>(end - rest.data());
    if (length > 1 && rest[rest[0] == '-' ? 1 : 0] == '0') {
      return Malformed("an integer without leading zeros");
    }
    at_ += length;
    return value;
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool Accept(char c) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  absl::Status Expect(char c) {
    if (Accept(c)) return absl::OkStatus();
    return Malformed(absl::StrCat("'", std::string(1, c), "'"));
  }

  absl::Status Malformed(std::string_view expected) const {
    return absl::InvalidArgumentError(
        absl::StrCat("its header is malformed: ", std::string(expected), " expected at byte ", at_,
                     " of the header; write it anew with numpy.save"));
  }

  std::string_view text_;
  size_t at_ = 0;
  std::optional<std::string> descr_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<int64_t>> dims_;
};

// What turns elements of this NumPy type into ones that are read.
std::string Conversion(std::string_view descr) {
  const std::string_view kind = descr.substr(descr.empty() ? 0 : 1);
  const auto astype = [](std::string_view type) {
    return absl::StrCat("save it with array.astype('", std::string(type), "')");
  };
  if (kind == "b1") return astype("uint8");
  if (kind == "i1" || kind == "i2" || kind == "u2" || kind == "i4") return astype("int32");
  if (kind == "u4" || kind == "u8" || kind == "i8") return astype("int64");
  if (kind == "f2") return astype("float16");
  if (kind == "f8") return astype("float64");
  if (kind.starts_with("f")) return astype("float32");
  if (kind == "V2") return absl::StrCat("if they are bfloat16, ", astype("float32"));
  if (kind.starts_with("c")) return "save it with array.real.astype('float32')";
  return "save it as an array of numbers, e.g. with array.astype('float32')";
}

absl::StatusOr<ElementType> TypeOf(const std::string& descr) {
  if (descr == "<f4") return ElementType::kFloat32;
  if (descr == "<f2") return ElementType::kFloat16;
  if (descr == "<f8") return ElementType::kFloat64;
  // A single byte has no order; other writers than NumPy give one all the same.
  if (descr == "|u1" || descr == "<u1") return ElementType::kUInt8;
  if (descr == "<i4") return ElementType::kInt32;
  if (descr == "<i8") return ElementType::kInt64;
  if (descr == "|O" || descr == "O") {
    return WithErrorId(
        absl::InvalidArgumentError("it holds pickled Python objects, which can run code and are "
                                   "never loaded; save it as an "
                                   "array of numbers, e.g. with array.astype('float32')"),
        ErrorId::kDataFormat);
  }
  if (descr.starts_with('>')) {
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           "its elements are big-endian ('", absl::CHexEscape(descr.substr(0, 16)),
                           "') and must be little-endian; ", Conversion(descr))),
                       ErrorId::kDataFormat);
  }
  return WithErrorId(
      absl::InvalidArgumentError(
          absl::StrCat("its elements have the NumPy type '", absl::CHexEscape(descr.substr(0, 16)),
                       "', and only float16, float32, float64, uint8, int32 and int64 are read; ",
                       Conversion(descr))),
      ErrorId::kDataFormat);
}

absl::Status CheckMagic(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) {
    return WithErrorId(
        absl::InvalidArgumentError("it is compressed with gzip; uncompress it with gunzip"),
        ErrorId::kDataFormat);
  }
  if (bytes.starts_with("PK\x03\x04")) {
    return WithErrorId(
        absl::InvalidArgumentError(
            "it is a zip archive, as .npz files are; save one of its arrays to a file: "
            "numpy.save(path, numpy.load(archive)['name'])"),
        ErrorId::kDataFormat);
  }
  if (!bytes.starts_with(kMagic) && !kMagic.starts_with(bytes)) {
    return WithErrorId(
        absl::InvalidArgumentError("it is not a .npy file; check the path, or convert it"),
        ErrorId::kDataFormat);
  }
  return absl::OkStatus();
}

absl::Status TruncatedHeader() {
  return WithErrorId(absl::DataLossError("it is truncated within its header; get the file anew"),
                     ErrorId::kDataTruncated);
}

struct Extent {
  size_t begin;
  size_t length;
};

// Where the header's dictionary lies.
absl::StatusOr<Extent> FindHeader(std::string_view bytes) {
  RETURN_IF_ERROR(CheckMagic(bytes));
  if (bytes.size() < kLengthAt) return TruncatedHeader();
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const int major = byte(kMagic.size());
  const int minor = byte(kMagic.size() + 1);
  if (major < 1 || major > 3 || minor != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it has version ", major, ".", minor,
        " of the .npy format, and 1.0, 2.0 and 3.0 are read; write it anew with numpy.save"));
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t begin = kLengthAt + length_bytes;
  if (bytes.size() < begin) return TruncatedHeader();
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= size_t{byte(kLengthAt + i)} << (8 * i);
  if (length > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat("its header has ", length, " bytes, more than ",
                                                   kMaxHeaderBytes,
                                                   "; write it anew with numpy.save"));
  }
  if (length > bytes.size() - begin) return TruncatedHeader();
  return Extent{begin, length};
}

// The last `size` bytes as a view aligned to `alignment`, a power of two below the
// length of any header. They move within their buffer, so that memory never holds
// a large array twice.
TensorView AlignedView(std::string bytes, size_t size, size_t alignment) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  char* data = owner->data() + (owner->size() - size);
  const size_t shift = reinterpret_cast<uintptr_t>(data) % alignment;
  if (shift != 0) std::memmove(data - shift, data, size);
  TensorView view;
  view.bytes = std::as_bytes(std::span<const char>(data - shift, size));
  view.owner = std::move(owner);
  return view;
}

absl::StatusOr<TensorView> Parse(std::string&& bytes) {
  ASSIGN_OR_RETURN(const Extent extent, FindHeader(bytes));
  ASSIGN_OR_RETURN(Header header,
                   HeaderParser(std::string_view(bytes).substr(extent.begin, extent.length)).Run());
  ASSIGN_OR_RETURN(const ElementType type, TypeOf(header.descr));
  if (header.fortran_order) {
    return absl::InvalidArgumentError(
        "its elements are in Fortran order; save it with numpy.ascontiguousarray(array)");
  }
  const size_t element_bytes = ElementBytes(type);
  const absl::StatusOr<int64_t> elements = CheckedElements(header.dims, element_bytes);
  if (!elements.ok()) {
    return Reworded(elements.status(), elements.status().code(),
                    absl::StrCat("its header is wrong: ", elements.status().message(),
                                 "; write it anew with numpy.save"));
  }
  const size_t promised = static_cast<size_t>(*elements) * element_bytes;
  const size_t present = bytes.size() - extent.begin - extent.length;
  if (present < promised) {
    return WithErrorId(absl::DataLossError(absl::StrCat(
                           "it is truncated: its header promises ", promised,
                           " bytes of elements and there are ", present, "; get the file anew")),
                       ErrorId::kDataTruncated);
  }
  if (present > promised) {
    return absl::InvalidArgumentError(
        absl::StrCat("its header promises ", promised, " bytes of elements and there are ", present,
                     "; get the file anew, or save one array per file"));
  }
  TensorView view = AlignedView(std::move(bytes), promised, element_bytes);
  view.type = type;
  view.dims = std::move(header.dims);
  return view;
}

absl::StatusOr<TensorView> Decode(std::string&& bytes, const std::string& sha256) {
  if (!sha256.empty()) {
    const std::string actual = Sha256Hex(bytes);
    if (actual != sha256) {
      return WithErrorId(absl::DataLossError(absl::StrCat(
                             "it has been altered: its SHA-256 is ", actual, " and should be ",
                             sha256, "; get the file anew, or correct sha256")),
                         ErrorId::kDataAltered);
    }
  }
  return Parse(std::move(bytes));
}

}  // namespace

absl::StatusOr<TensorView> ReadNpy(FileSystem& files, const v1::ArrayFile& file, size_t max_bytes) {
  ASSIGN_OR_RETURN(std::string bytes, files.Read(file.path(), max_bytes));
  absl::StatusOr<TensorView> view = Decode(std::move(bytes), file.sha256());
  if (!view.ok()) return Annotate(view.status(), file.path());
  return view;
}

}  // namespace distill
