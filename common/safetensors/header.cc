#include "common/safetensors/header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace distill::safetensors_internal {
namespace {

using Json = nlohmann::json;
constexpr char kMetadata[] = "__metadata__";

// Takes the events of the parser and stops it at the first thing out of place, so
// that no document of the author's choice is ever built. Functions return whether to
// go on; nothing throws.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const HeaderLimits& limits) : limits_(limits) {}

  const absl::Status& status() const { return status_; }
  Header& header() { return header_; }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_float(double, const std::string& text) override {
    return Fail(absl::StrCat("has the number ", text.substr(0, 40), " where an integer of 0 to ",
                             "2^63 - 1 belongs"));
  }
  bool binary(Json::binary_t&) override { return Unexpected("binary data"); }

  bool number_integer(int64_t value) override {
    return Fail(absl::StrCat("has the negative number ", value));
  }
  bool number_unsigned(uint64_t value) override {
    if (!in_array_) return Unexpected("a number");
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Fail(absl::StrCat("has the number ", value, ", above 2^63 - 1"));
    }
    const size_t most = field_ == "shape" ? limits_.max_dims : 2;
    if (numbers_.size() >= most) {
      return Fail(absl::StrCat("has more than ", most, " numbers in '", field_, "'"));
    }
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata_) {
      header_.metadata[field_] = std::move(value);
      return true;
    }
    if (depth_ != 2 || in_array_ || field_ != "dtype") return Unexpected("a string");
    entry_.dtype = std::move(value);
    return true;
  }

  bool start_object(size_t) override {
    if (depth_ >= 2 || in_array_) return Unexpected("an object");
    ++depth_;
    fields_.clear();
    entry_ = {};
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) return TopLevelKey(name);
    if (!fields_.insert(name).second) return Fail(absl::StrCat("has ", Quoted(name), " twice"));
    if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets") {
      return Fail(absl::StrCat("has the unknown field ", Quoted(name)));
    }
    if (in_metadata_ && fields_.size() > limits_.max_tensors) return FailLimit("metadata entries");
    field_ = std::move(name);
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 0 || in_metadata_) return true;
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (!fields_.contains(field)) return Fail(absl::StrCat("lacks '", field, "'"));
    }
    header_.tensors.emplace(name_, std::move(entry_));
    return true;
  }

  bool start_array(size_t) override {
    const bool expected = depth_ == 2 && !in_metadata_ && !in_array_ &&
                          (field_ == "shape" || field_ == "data_offsets");
    if (!expected) return Unexpected("an array");
    in_array_ = true;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    if (field_ == "shape") {
      entry_.shape = numbers_;
      return true;
    }
    if (numbers_.size() != 2) return Fail("needs a begin and an end in 'data_offsets'");
    entry_.begin = static_cast<uint64_t>(numbers_[0]);
    entry_.end = static_cast<uint64_t>(numbers_[1]);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Fail(absl::StrCat("is not JSON at byte ", position));
  }

 private:
  bool TopLevelKey(const std::string& name) {
    if (!names_.insert(name).second) {
      name_.clear();
      return Fail(absl::StrCat("holds ", Quoted(name), " twice"));
    }
    in_metadata_ = name == kMetadata;
    name_ = name;
    field_.clear();
    if (names_.size() > limits_.max_tensors + 1) return FailLimit("tensors");
    return true;
  }

  std::string Where() const {
    if (name_.empty()) return "header";
    if (in_metadata_) return kMetadata;
    return absl::StrCat("tensor ", Quoted(name_));
  }
  bool Fail(const std::string& what) {
    status_ = absl::InvalidArgumentError(absl::StrCat(Where(), " ", what));
    return false;
  }
  bool FailLimit(const char* what) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat("header has more ", what, " than the limit of ", limits_.max_tensors));
    return false;
  }
  bool Unexpected(const char* what) {
    if (field_.empty()) return Fail(absl::StrCat("has ", what, " where an object belongs"));
    return Fail(absl::StrCat("has ", what, " out of place in ", Quoted(field_)));
  }

  const HeaderLimits limits_;
  absl::Status status_;
  Header header_;
  int depth_ = 0;
  bool in_array_ = false;
  bool in_metadata_ = false;
  std::string name_, field_;  // The keys of depth 1 and 2 that the parser is in.
  std::set<std::string> names_, fields_;
  std::vector<int64_t> numbers_;
  HeaderEntry entry_;
};

}  // namespace

std::string Quoted(std::string_view name) {
  constexpr size_t kMost = 100;
  const char* cut = name.size() > kMost ? "..." : "";
  return absl::StrCat("'", absl::CHexEscape(std::string(name.substr(0, kMost))), cut, "'");
}

absl::StatusOr<Header> ParseHeader(std::string_view json, const HeaderLimits& limits) {
  HeaderReader reader(limits);
  const bool complete = Json::sax_parse(json.begin(), json.end(), &reader);
  if (!reader.status().ok()) return reader.status();
  if (!complete) return absl::InvalidArgumentError("header is not JSON");
  return std::move(reader.header());
}

absl::StatusOr<std::string> FormatHeader(const Header& header) {
  Json json = Json::object();
  if (!header.metadata.empty()) json[kMetadata] = header.metadata;
  for (const auto& [name, entry] : header.tensors) {
    json[name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = json.dump();  // Throws for text that is not UTF-8, and only for that.
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError(
        "a tensor's name or the metadata is not UTF-8, which JSON cannot hold: rename it");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace distill::safetensors_internal
