#include "common/files/fake_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

absl::Status NotFound(const std::string& path) {
  return absl::NotFoundError(absl::StrCat(path, ": no such file or directory"));
}

// "/a//./b" -> {"a", "b"}.
std::vector<std::string> Parts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

}  // namespace

class FakeAppendFile : public AppendFile {
 public:
  FakeAppendFile(FakeFileSystem* files, std::string path, FakeFileSystem::NodePtr node,
                 int64_t crashes)
      : files_(files), path_(std::move(path)), node_(std::move(node)), crashes_(crashes) {}

  absl::Status Append(std::string_view bytes) override {
    absl::MutexLock lock(&files_->mutex_);
    const absl::Status begun = Begin();
    node_->bytes.append(begun.ok() ? bytes : bytes.substr(0, bytes.size() / 2));
    return begun;
  }

  absl::Status Sync() override {
    absl::MutexLock lock(&files_->mutex_);
    RETURN_IF_ERROR(Begin());
    FakeFileSystem::SyncNode(*node_);
    return absl::OkStatus();
  }

 private:
  absl::Status Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(files_->mutex_) {
    if (files_->crashes_ != crashes_) {
      // Appends go to a node of its own, so that the file is not touched.
      node_ = std::make_shared<FakeFileSystem::Node>();
      return absl::FailedPreconditionError(absl::StrCat(path_, ": was opened before the crash"));
    }
    return files_->Begin(path_);
  }

  FakeFileSystem* const files_;
  const std::string path_;
  FakeFileSystem::NodePtr node_;
  const int64_t crashes_;
};

FakeFileSystem::FakeFileSystem() : root_(std::make_shared<Node>()) { root_->directory = true; }

void FakeFileSystem::Crash(size_t keep_unsynced_bytes) {
  absl::MutexLock lock(&mutex_);
  ++crashes_;
  fail_at_ = 0;
  CrashNode(*root_, keep_unsynced_bytes);
}

void FakeFileSystem::CrashNode(Node& node, size_t keep_unsynced_bytes) {
  const bool only_appended = absl::StartsWith(node.bytes, node.durable_bytes);
  const size_t durable = node.durable_bytes.size();
  if (only_appended) {
    node.bytes.resize(durable + std::min(keep_unsynced_bytes, node.bytes.size() - durable));
  } else {
    node.bytes = node.durable_bytes;
  }
  node.children = node.durable_children;
  SyncNode(node);
  for (auto& [name, child] : node.children) CrashNode(*child, keep_unsynced_bytes);
}

void FakeFileSystem::SyncNode(Node& node) {
  node.durable_bytes = node.bytes;
  node.durable_children = node.children;
}

void FakeFileSystem::FailOperation(int64_t n, absl::Status error, bool and_all_later) {
  ABSL_RAW_CHECK(n >= 1 && !error.ok(), "a failure needs an error, and a time from 1 on");
  absl::MutexLock lock(&mutex_);
  fail_at_ = operations_ + n;
  failure_ = std::move(error);
  fail_later_too_ = and_all_later;
}

int64_t FakeFileSystem::operations() const {
  absl::MutexLock lock(&mutex_);
  return operations_;
}

absl::Status FakeFileSystem::Begin(const std::string& path) {
  ++operations_;
  if (fail_at_ == 0 || operations_ < fail_at_) return absl::OkStatus();
  if (operations_ > fail_at_ && !fail_later_too_) return absl::OkStatus();
  return Annotate(failure_, path);
}

absl::StatusOr<FakeFileSystem::Place> FakeFileSystem::Find(const std::string& path) const {
  if (path.empty()) return NotFound("(empty path)");
  Place place = {.parent = nullptr, .name = "", .node = root_};
  for (const std::string& name : Parts(path)) {
    if (name == "..") return absl::InvalidArgumentError(absl::StrCat(path, ": holds '..'"));
    if (place.node == nullptr) return NotFound(path);
    if (!place.node->directory) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": not a directory on the way"));
    }
    place.parent = place.node;
    place.name = name;
    const auto found = place.parent->children.find(name);
    place.node = found == place.parent->children.end() ? nullptr : found->second;
  }
  return place;
}

absl::StatusOr<FakeFileSystem::NodePtr> FakeFileSystem::FindNode(const std::string& path) const {
  ASSIGN_OR_RETURN(const Place place, Find(path));
  if (place.node == nullptr) return NotFound(path);
  return place.node;
}

absl::StatusOr<FakeFileSystem::NodePtr> FakeFileSystem::FindFile(const std::string& path) const {
  ASSIGN_OR_RETURN(NodePtr node, FindNode(path));
  if (node->directory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory"));
  }
  return node;
}

absl::StatusOr<FakeFileSystem::NodePtr> FakeFileSystem::FindOrCreateFile(const std::string& path) {
  ASSIGN_OR_RETURN(const Place place, Find(path));
  if (place.node != nullptr) return FindFile(path);
  return place.parent->children[place.name] = std::make_shared<Node>();
}

absl::StatusOr<std::string> FakeFileSystem::Read(const std::string& path, size_t max_bytes) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindFile(path));
  if (node->bytes.size() > max_bytes) {
    return absl::OutOfRangeError(absl::StrCat(path, ": has ", node->bytes.size(),
                                              " bytes, more than the bound of ", max_bytes));
  }
  return node->bytes;
}

absl::StatusOr<std::string> FakeFileSystem::ReadRange(const std::string& path, uint64_t offset,
                                                      size_t length) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindFile(path));
  const uint64_t size = node->bytes.size();
  if (offset > size || length > size - offset) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": ", length, " bytes at ", offset, " lie past its end at ", size));
  }
  return node->bytes.substr(offset, length);
}

absl::Status FakeFileSystem::Write(const std::string& path, std::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  const absl::Status begun = Begin(path);
  ASSIGN_OR_RETURN(const NodePtr node, FindOrCreateFile(path));
  node->bytes = begun.ok() ? bytes : bytes.substr(0, bytes.size() / 2);
  return begun;
}

absl::StatusOr<std::unique_ptr<AppendFile>> FakeFileSystem::OpenForAppend(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(NodePtr node, FindOrCreateFile(path));
  return std::make_unique<FakeAppendFile>(this, path, std::move(node), crashes_);
}

absl::Status FakeFileSystem::Truncate(const std::string& path, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindFile(path));
  if (size > node->bytes.size()) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": has ", node->bytes.size(), " bytes and cannot be cut to ", size));
  }
  node->bytes.resize(size);
  return absl::OkStatus();
}

absl::Status FakeFileSystem::Sync(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindNode(path));
  SyncNode(*node);
  return absl::OkStatus();
}

absl::Status FakeFileSystem::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(from));
  ASSIGN_OR_RETURN(const Place source, Find(from));
  ASSIGN_OR_RETURN(const Place target, Find(to));
  if (source.node == nullptr) return NotFound(from);
  if (source.node == target.node) return absl::OkStatus();
  const std::string what = absl::StrCat(from, ": rename to ", to);
  if (source.parent == nullptr || target.parent == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": '/' has no other name"));
  }
  if (source.node->directory && absl::StartsWith(absl::StrCat(to, "/"), absl::StrCat(from, "/"))) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": would hold itself"));
  }
  if (target.node != nullptr &&
      (target.node->directory != source.node->directory || !target.node->children.empty())) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": cannot replace what is there"));
  }
  target.parent->children[target.name] = source.node;
  source.parent->children.erase(source.name);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FakeFileSystem::List(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindNode(path));
  if (!node->directory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a directory"));
  }
  std::vector<std::string> names;
  for (const auto& [name, child] : node->children) names.push_back(name);
  return names;
}

absl::Status FakeFileSystem::MakeDirectories(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  std::string prefix = absl::StartsWith(path, "/") ? "/" : ".";
  for (const std::string& name : Parts(path)) {
    prefix = JoinPath(prefix, name);
    ASSIGN_OR_RETURN(const Place place, Find(prefix));
    if (place.node == nullptr) {
      auto node = std::make_shared<Node>();
      node->directory = true;
      place.parent->children[place.name] = node;
      // Only this name is made durable, so that a caller cannot lean on it for others.
      place.parent->durable_children[place.name] = node;
    } else if (!place.node->directory) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": ", prefix, " is a file"));
    }
  }
  return absl::OkStatus();
}

absl::Status FakeFileSystem::RemoveTree(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  const absl::StatusOr<Place> place = Find(path);
  if (absl::IsNotFound(place.status())) return absl::OkStatus();
  RETURN_IF_ERROR(place.status());
  if (place->parent == nullptr) return absl::InvalidArgumentError("/: cannot be removed");
  place->parent->children.erase(place->name);
  return absl::OkStatus();
}

absl::StatusOr<bool> FakeFileSystem::Exists(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  const absl::StatusOr<Place> place = Find(path);
  if (absl::IsNotFound(place.status())) return false;
  RETURN_IF_ERROR(place.status());
  return place->node != nullptr;
}

absl::StatusOr<uint64_t> FakeFileSystem::Size(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  ASSIGN_OR_RETURN(const NodePtr node, FindFile(path));
  return node->bytes.size();
}

// There are no links here.
absl::StatusOr<std::string> FakeFileSystem::RealPath(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(Begin(path));
  RETURN_IF_ERROR(FindNode(path).status());
  return absl::StrCat("/", absl::StrJoin(Parts(path), "/"));
}

}  // namespace distill
