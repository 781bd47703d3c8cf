#include "common/status/error_id.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace distill {
namespace {

constexpr char kPayload[] = "distill/error_id";
constexpr std::string_view kOpen = "[DST-";
constexpr size_t kTagBytes = kOpen.size() + 5;  // "[DST-1101]"

// The id of the tag at `at`, where there is one.
std::optional<ErrorId> TagAt(std::string_view text, size_t at) {
  if (text.size() < at + kTagBytes || text[at + kTagBytes - 1] != ']') return std::nullopt;
  const ErrorEntry* entry = FindError(ErrorNumberOf(text.substr(at + 1, kTagBytes - 2)));
  return entry == nullptr ? std::nullopt : std::optional<ErrorId>(entry->id);
}

}  // namespace

absl::Status WithErrorId(absl::Status status, ErrorId id) {
  if (!status.ok() && !status.GetPayload(kPayload).has_value()) {
    // A view: clang and GCC give Cord's constructor from a string different names.
    const std::string name = ErrorIdName(id);
    status.SetPayload(kPayload, absl::Cord(absl::string_view(name)));
  }
  return status;
}

std::optional<ErrorId> ErrorIdOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  const ErrorEntry* entry = FindError(ErrorNumberOf(std::string(*payload)));
  return entry == nullptr ? std::nullopt : std::optional<ErrorId>(entry->id);
}

absl::Status Reworded(const absl::Status& status, absl::StatusCode code, std::string_view message) {
  absl::Status reworded(code, std::string(message));
  const std::optional<ErrorId> id = ErrorIdOf(status);
  return id.has_value() ? WithErrorId(std::move(reworded), *id) : reworded;
}

std::string MessageWithId(const absl::Status& status) {
  const std::optional<ErrorId> id = ErrorIdOf(status);
  const std::string message(status.message());
  const bool stands = id.has_value() && ErrorIdIn(message) == id;
  return id.has_value() && !stands ? TextWithId(message, *id) : message;
}

std::string TextWithId(std::string_view text, ErrorId id) {
  return absl::StrCat(std::string(text), " [", ErrorIdName(id), "]");
}

std::optional<ErrorId> ErrorIdIn(std::string_view text) {
  for (size_t at = text.rfind(kOpen); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : text.rfind(kOpen, at - 1)) {
    if (const auto id = TagAt(text, at); id.has_value()) return id;
  }
  return std::nullopt;
}

absl::Status StatusOfText(absl::StatusCode code, std::string_view text) {
  if (text.size() > kTagBytes) {
    const size_t at = text.size() - kTagBytes;
    const auto id = TagAt(text, at);
    if (id.has_value() && text[at - 1] == ' ') {
      return WithErrorId(absl::Status(code, std::string(text.substr(0, at - 1))), *id);
    }
  }
  return absl::Status(code, std::string(text));
}

}  // namespace distill
