#include "teacher_server/cache/segment_log.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/bytes/little_endian.h"
#include "common/digest/crc32c.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie");

constexpr std::string_view kMagic = "DSLBSEG1";
// Values, key, CRC of the values, CRC of all that.
constexpr size_t kHeaderBytes = 4 + 4 * 8 + 4 + 4;
// A segment passes its bound by one record at most; more than this is not read.
constexpr size_t kMaxSegmentBytes = size_t{2} << 30;

std::string_view BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

uint64_t RecordBytes(uint64_t values) { return kHeaderBytes + values * sizeof(float); }

std::string Encode(const KeyedRow& row) {
  const std::string_view values = BytesOf(*row.row);
  ByteWriter bytes;
  bytes.U32(static_cast<uint32_t>(row.row->size()));
  bytes.U64(row.key.scope[0]);
  bytes.U64(row.key.scope[1]);
  bytes.U64(row.key.example);
  bytes.U64(row.key.view_seed);
  bytes.U32(Crc32c(values));
  bytes.U32(Crc32c(bytes.bytes()));
  bytes.Bytes(values);
  return bytes.Take();
}

struct Header {
  uint32_t values = 0;
  LabelKey key;
  uint32_t crc32c = 0;
};

// Nothing when these are not the bytes of a header, whole and unchanged.
std::optional<Header> DecodeHeader(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  ByteReader reader(bytes);
  Header header;
  header.values = reader.U32();
  header.key.scope[0] = reader.U64();
  header.key.scope[1] = reader.U64();
  header.key.example = reader.U64();
  header.key.view_seed = reader.U64();
  header.crc32c = reader.U32();
  if (reader.U32() != Crc32c(bytes.substr(0, kHeaderBytes - 4))) return std::nullopt;
  return header;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentLog>> SegmentLog::Open(FileSystem* files,
                                                             const std::string& directory,
                                                             const SegmentLogOptions& options) {
  std::unique_ptr<SegmentLog> log(new SegmentLog(files, directory, options));
  const absl::Status status = log->ReadSegments();
  if (!status.ok()) return Annotate(status, absl::StrCat("label cache in ", directory));
  return log;
}

SegmentLog::SegmentLog(FileSystem* files, std::string directory, const SegmentLogOptions& options)
    : files_(files), directory_(std::move(directory)), options_(options) {}

std::string SegmentLog::PathOf(uint64_t segment) const {
  return JoinPath(directory_, absl::StrFormat("%016d.rows", segment));
}

absl::Status SegmentLog::ReadSegments() {
  RETURN_IF_ERROR(files_->MakeDirectories(directory_));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(directory_));
  uint64_t rows = 0;
  // The bounds may be smaller ones today.
  bool full = false;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    Segment segment;
    if (!absl::SimpleAtoi(name->substr(0, name->find('.')), &segment.number) ||
        JoinPath(directory_, *name) != PathOf(segment.number)) {
      continue;
    }
    const std::string path = PathOf(segment.number);
    next_segment_ = std::max(next_segment_, segment.number + 1);
    ASSIGN_OR_RETURN(segment.bytes, files_->Size(path));
    full = full || bytes() + segment.bytes > options_.max_bytes;
    if (!full) {
      const auto read = files_->Read(path, kMaxSegmentBytes);
      if (!read.ok() && !absl::IsDataLoss(read.status())) return read.status();
      absl::MutexLock lock(&mu_);
      if (read.ok()) full = !Scan(segment, *read, options_.max_rows - rows);
    }
    if (segment.keys.empty()) {
      RETURN_IF_ERROR(files_->RemoveTree(path));
      continue;
    }
    rows += segment.keys.size();
    absl::MutexLock lock(&mu_);
    bytes_ += segment.bytes;
    segments_.push_front(std::move(segment));
  }
  return absl::OkStatus();
}

bool SegmentLog::Scan(Segment& segment, std::string_view bytes, uint64_t max_rows) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    ++damaged_;
    return true;
  }
  uint64_t offset = kMagic.size();
  while (offset < bytes.size()) {
    const std::optional<Header> header = DecodeHeader(bytes.substr(offset));
    // Where the next record would begin is not known either.
    if (!header.has_value() || RecordBytes(header->values) > bytes.size() - offset) {
      ++damaged_;
      return true;
    }
    if (segment.keys.size() >= max_rows) {
      Forget(segment);
      segment.keys.clear();
      return false;
    }
    // The values are checked when they are read. What a newer segment has again was damaged
    // here, and so was what comes again in this one.
    const Place place = {segment.number, offset, header->values};
    const auto [it, added] = index_.try_emplace(header->key, place);
    if (!added && it->second.segment == segment.number) it->second = place;
    segment.keys.push_back(header->key);
    offset += RecordBytes(header->values);
  }
  return true;
}

SegmentLog::Figures SegmentLog::figures() const {
  absl::MutexLock lock(&mu_);
  return {bytes_, index_.size(), evictions_, damaged_};
}

std::vector<LabelRow> SegmentLog::Find(std::span<const LabelKey> keys) {
  std::vector<LabelRow> rows(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    Place place;
    {
      absl::MutexLock lock(&mu_);
      const auto it = index_.find(keys[i]);
      if (it == index_.end()) continue;
      place = it->second;
    }
    rows[i] = Read(keys[i], place);
    if (rows[i] != nullptr) continue;
    absl::MutexLock lock(&mu_);
    const auto it = index_.find(keys[i]);
    // Otherwise its segment was deleted meanwhile.
    if (it == index_.end() || it->second != place) continue;
    ++damaged_;
    index_.erase(it);
  }
  return rows;
}

LabelRow SegmentLog::Read(const LabelKey& key, const Place& place) {
  const auto bytes =
      files_->ReadRange(PathOf(place.segment), place.offset, RecordBytes(place.values));
  if (!bytes.ok()) return nullptr;
  const std::optional<Header> header = DecodeHeader(*bytes);
  if (!header.has_value() || header->key != key || header->values != place.values) return nullptr;
  const std::string_view payload = std::string_view(*bytes).substr(kHeaderBytes);
  if (Crc32c(payload) != header->crc32c) return nullptr;
  std::vector<float> values(place.values);
  std::memcpy(values.data(), payload.data(), payload.size());
  return std::make_shared<const std::vector<float>>(std::move(values));
}

absl::Status SegmentLog::Add(std::span<const KeyedRow> rows) {
  std::string bytes;
  std::vector<std::pair<LabelKey, Place>> places;
  absl::flat_hash_map<LabelKey, bool> added;
  for (const KeyedRow& row : rows) {
    {
      absl::MutexLock lock(&mu_);
      if (index_.contains(row.key)) continue;
    }
    if (!added.emplace(row.key, true).second) continue;
    places.push_back({row.key, {0, bytes.size(), static_cast<uint32_t>(row.row->size())}});
    bytes += Encode(row);
  }
  // What is larger than the whole cache is not worth deleting everything else for.
  const uint64_t with_magic = bytes.size() + kMagic.size();
  if (places.empty() || with_magic > options_.max_bytes || places.size() > options_.max_rows) {
    return absl::OkStatus();
  }
  const uint64_t full = std::min(options_.segment_bytes, options_.max_bytes / 4);
  if (file_ != nullptr && segments_.back().bytes >= full) RETURN_IF_ERROR(Close());
  RETURN_IF_ERROR(MakeRoom(with_magic, places.size()));
  if (file_ == nullptr) RETURN_IF_ERROR(Begin());
  Segment& segment = segments_.back();
  if (const absl::Status status = file_->Append(bytes); !status.ok()) {
    // The segment may end in a part of `bytes` now: that is cut off, or is passed over.
    files_->Truncate(PathOf(segment.number), segment.bytes).IgnoreError();
    file_.reset();
    return Annotate(status, absl::StrCat("label cache in ", directory_));
  }
  segment.bytes += bytes.size();
  absl::MutexLock lock(&mu_);
  for (auto& [key, place] : places) {
    place.segment = segment.number;
    place.offset += segment.bytes - bytes.size();
    index_[key] = place;
    segment.keys.push_back(key);
  }
  bytes_ += bytes.size();
  return absl::OkStatus();
}

absl::Status SegmentLog::MakeRoom(uint64_t bytes, uint64_t rows) {
  while (!segments_.empty()) {
    const Figures now = figures();
    if (now.bytes + bytes <= options_.max_bytes && now.rows + rows <= options_.max_rows) break;
    RETURN_IF_ERROR(DropOldest());
  }
  return absl::OkStatus();
}

absl::Status SegmentLog::DropOldest() {
  const Segment& oldest = segments_.front();
  if (segments_.size() == 1) file_.reset();
  {
    // Before the file goes: whoever reads it meanwhile would take its rows for damaged.
    absl::MutexLock lock(&mu_);
    const size_t before = index_.size();
    Forget(oldest);
    evictions_ += before - index_.size();
  }
  RETURN_IF_ERROR(files_->RemoveTree(PathOf(oldest.number)));
  absl::MutexLock lock(&mu_);
  bytes_ -= oldest.bytes;
  segments_.pop_front();
  return absl::OkStatus();
}

void SegmentLog::Forget(const Segment& segment) {
  for (const LabelKey& key : segment.keys) {
    const auto it = index_.find(key);
    if (it != index_.end() && it->second.segment == segment.number) index_.erase(it);
  }
}

absl::Status SegmentLog::Begin() {
  const uint64_t number = next_segment_++;
  const auto status = [&]() -> absl::Status {
    RETURN_IF_ERROR(files_->Write(PathOf(number), kMagic));
    ASSIGN_OR_RETURN(file_, files_->OpenForAppend(PathOf(number)));
    return absl::OkStatus();
  }();
  if (!status.ok()) {
    // If it stays, the next start passes it over.
    files_->RemoveTree(PathOf(number)).IgnoreError();
    return Annotate(status, absl::StrCat("label cache in ", directory_));
  }
  segments_.push_back({number, kMagic.size(), {}});
  absl::MutexLock lock(&mu_);
  bytes_ += kMagic.size();
  return absl::OkStatus();
}

absl::Status SegmentLog::Flush() {
  if (file_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(file_->Sync());
  return files_->Sync(directory_);
}

absl::Status SegmentLog::Clear() {
  const auto status = [&]() -> absl::Status {
    while (!segments_.empty()) RETURN_IF_ERROR(DropOldest());
    return files_->Sync(directory_);
  }();
  return status.ok() ? status : Annotate(status, absl::StrCat("label cache in ", directory_));
}

absl::Status SegmentLog::Close() {
  const absl::Status status = Flush();
  file_.reset();
  return status;
}

}  // namespace distill
