#include "common/safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/safetensors/header.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

using safetensors_internal::FormatHeader;
using safetensors_internal::Header;
using safetensors_internal::HeaderEntry;
using safetensors_internal::ParseHeader;
using safetensors_internal::Quoted;

static_assert(std::endian::native == std::endian::little, "elements are little-endian");

constexpr size_t kLengthBytes = 8;

struct Dtype {
  const char* name;
  ElementType type;
};
constexpr Dtype kDtypes[] = {
    {"F32", ElementType::kFloat32},   {"F16", ElementType::kFloat16},
    {"BF16", ElementType::kBFloat16}, {"F64", ElementType::kFloat64},
    {"U8", ElementType::kUInt8},      {"I32", ElementType::kInt32},
    {"I64", ElementType::kInt64},
};

absl::StatusOr<ElementType> TypeOfDtype(const std::string& name) {
  std::vector<std::string> known;
  for (const Dtype& dtype : kDtypes) {
    if (name == dtype.name) return dtype.type;
    known.push_back(dtype.name);
  }
  return absl::UnimplementedError(
      absl::StrCat("has the dtype ", Quoted(name), "; supported are ", absl::StrJoin(known, ", ")));
}

const char* DtypeOfType(ElementType type) {
  for (const Dtype& dtype : kDtypes) {
    if (type == dtype.type) return dtype.name;
  }
  return "";
}

// A view of the elements, copied where they are not aligned.
void SetBytes(TensorView& view, std::span<const std::byte> bytes,
              const std::shared_ptr<const void>& owner) {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  if (bytes.empty() || address % ElementBytes(view.type) == 0) {
    view.bytes = bytes;
    view.owner = owner;
    return;
  }
  auto copy = std::make_shared<std::vector<double>>((bytes.size() + 7) / 8);
  std::memcpy(copy->data(), bytes.data(), bytes.size());
  view.bytes = std::as_bytes(std::span<const double>(*copy)).first(bytes.size());
  view.owner = std::move(copy);
}

absl::StatusOr<TensorView> MakeView(const HeaderEntry& entry, std::span<const std::byte> data,
                                    const std::shared_ptr<const void>& owner) {
  TensorView view;
  ASSIGN_OR_RETURN(view.type, TypeOfDtype(entry.dtype));
  view.dims = entry.shape;
  const absl::StatusOr<int64_t> elements = CheckedElements(view.dims, ElementBytes(view.type));
  if (!elements.ok()) return absl::InvalidArgumentError(elements.status().message());
  if (entry.begin > entry.end || entry.end > data.size()) {
    return absl::InvalidArgumentError(absl::StrCat("has the offsets ", entry.begin, " to ",
                                                   entry.end, ", but the file has ", data.size(),
                                                   " bytes of elements: is it truncated?"));
  }
  const uint64_t needed = static_cast<uint64_t>(*elements) * ElementBytes(view.type);
  if (entry.end - entry.begin != needed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", entry.end - entry.begin, " bytes, but its shape [",
        absl::StrJoin(entry.shape, ", "), "] of ", ElementTypeName(view.type), " needs ", needed));
  }
  SetBytes(view, data.subspan(entry.begin, needed), owner);
  return view;
}

// Whether the tensors, one after the other, are all of the `size` bytes.
absl::Status CheckCover(const Header& header, uint64_t size) {
  std::vector<std::pair<const HeaderEntry*, const std::string*>> order;
  for (const auto& [name, entry] : header.tensors) order.emplace_back(&entry, &name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
  });
  uint64_t covered = 0;
  for (const auto& [entry, name] : order) {
    if (entry->begin != covered) {
      const char* what = entry->begin < covered ? "overlaps the one before" : "leaves a hole";
      return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(*name), " begins at ",
                                                     entry->begin, ", which ", what, ": expected ",
                                                     covered));
    }
    covered = entry->end;
  }
  if (covered == size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the last ", size - covered, " bytes belong to no tensor"));
}

// The text of the header; INVALID_ARGUMENT when the file is too short for it.
absl::StatusOr<std::string_view> HeaderText(std::span<const std::byte> bytes,
                                            const SafetensorsLimits& limits) {
  if (bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", bytes.size(), " bytes, too few for a safetensors file"));
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > bytes.size() - kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the header claims ", length, " bytes, but the file has ", bytes.size() - kLengthBytes,
        " after the length: it is truncated, or no safetensors file"));
  }
  if (length > limits.max_header_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the header has ", length, " bytes, more than the limit of ", limits.max_header_bytes));
  }
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
}

absl::StatusOr<Safetensors> Parse(std::span<const std::byte> bytes,
                                  const std::shared_ptr<const void>& owner,
                                  const SafetensorsLimits& limits) {
  ASSIGN_OR_RETURN(const std::string_view text, HeaderText(bytes, limits));
  // The format says so, and it turns away other kinds of file at once.
  if (text.empty() || text.front() != '{') {
    return absl::InvalidArgumentError("the header is no JSON object: no safetensors file");
  }
  ASSIGN_OR_RETURN(Header header, ParseHeader(text, {.max_tensors = limits.max_tensors,
                                                     .max_dims = limits.max_dims}));
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + text.size());
  Safetensors result;
  for (const auto& [name, entry] : header.tensors) {
    absl::StatusOr<TensorView> view = MakeView(entry, data, owner);
    if (!view.ok()) {
      return Reworded(view.status(), view.status().code(),
                      absl::StrCat("tensor ", Quoted(name), " ", view.status().message()));
    }
    result.tensors.emplace(name, *std::move(view));
  }
  RETURN_IF_ERROR(CheckCover(header, data.size()));
  result.metadata = std::move(header.metadata);
  return result;
}

absl::Status CheckWritable(const std::string& name, const TensorView& view) {
  const auto refuse = [&](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(name), " ", why));
  };
  if (name.empty() || name == "__metadata__") return refuse("has a reserved name: rename it");
  if (view.device != -1) return refuse("is not in host memory: copy it there first");
  const absl::StatusOr<int64_t> elements = CheckedElements(view.dims, ElementBytes(view.type));
  if (!elements.ok()) return refuse(std::string(elements.status().message()));
  const uint64_t needed = static_cast<uint64_t>(*elements) * ElementBytes(view.type);
  if (needed != view.bytes.size()) {
    return refuse(absl::StrCat("has ", view.bytes.size(), " bytes, but its shape needs ", needed));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Safetensors> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::shared_ptr<const void> owner,
                                             const std::string& file,
                                             const SafetensorsLimits& limits) {
  absl::StatusOr<Safetensors> result = Parse(bytes, owner, limits);
  if (!result.ok()) return Annotate(result.status(), file);
  return result;
}

absl::StatusOr<Safetensors> ReadSafetensors(FileSystem& files, const std::string& path,
                                            size_t max_bytes, const SafetensorsLimits& limits) {
  ASSIGN_OR_RETURN(std::string content, files.Read(path, max_bytes));
  const auto owner = std::make_shared<const std::string>(std::move(content));
  return ParseSafetensors(std::as_bytes(std::span<const char>(*owner)), owner, path, limits);
}

absl::StatusOr<std::string> SerializeSafetensors(const Safetensors& contents) {
  std::vector<std::pair<const std::string*, const TensorView*>> order;
  for (const auto& [name, view] : contents.tensors) {
    RETURN_IF_ERROR(CheckWritable(name, view));
    order.emplace_back(&name, &view);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return ElementBytes(a.second->type) > ElementBytes(b.second->type);
  });
  Header header;
  header.metadata = contents.metadata;
  uint64_t end = 0;
  for (const auto& [name, view] : order) {
    const uint64_t begin = std::exchange(end, end + view->bytes.size());
    header.tensors[*name] = {DtypeOfType(view->type), view->dims, begin, end};
  }
  ASSIGN_OR_RETURN(const std::string text, FormatHeader(header));
  const uint64_t length = text.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file.reserve(kLengthBytes + length + end);
  file += text;
  for (const auto& [name, view] : order) {
    file.append(reinterpret_cast<const char*>(view->bytes.data()), view->bytes.size());
  }
  return file;
}

absl::Status WriteSafetensors(FileSystem& files, const std::string& path,
                              const Safetensors& contents) {
  const absl::StatusOr<std::string> bytes = SerializeSafetensors(contents);
  if (!bytes.ok()) return Annotate(bytes.status(), path);
  return WriteFileAtomically(files, path, *bytes);
}

}  // namespace distill
