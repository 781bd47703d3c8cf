// The folder from which this process may load programs. TorchScript modules and AOTInductor
// packages can do whatever the process may do, so a file is loaded only when who started the
// process said so and the folder's manifest has its digest (docs/models.md).
#ifndef DISTILLATION_MODELS_MODEL_DIRECTORY_H_
#define DISTILLATION_MODELS_MODEL_DIRECTORY_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "proto/checkpoint.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

inline constexpr char kModelManifestFile[] = "manifest.json";

// The bytes that were checked, to be loaded from memory: what is on the disk may change.
struct Program {
  std::string bytes;
  // Hex, of `bytes`.
  std::string sha256;
};

// Thread-safe, a value.
class ModelDirectory {
 public:
  struct Options {
    // Of --model-dir; empty: no program is loaded.
    std::string path;
    // Of --allow-executable-models.
    bool allow_executable = false;
    // Told what is loaded, one line each.
    std::function<void(const std::string&)> log = nullptr;
  };

  // Refuses every program.
  ModelDirectory() = default;
  // `files` outlives it and its copies.
  ModelDirectory(FileSystem* files, Options options);

  // Reads and checks a program. Each refusal says what to do next, and has an id of 2601 to 2604
  // where it is of the directory:
  //   FAILED_PRECONDITION  no directory, not allowed, no manifest, not in it, or not the
  //                        file whose sha256 the configuration has
  //   INVALID_ARGUMENT     the path leaves the directory, by its text or by a link
  //   NOT_FOUND            there is no such file
  //   DATA_LOSS            the file is not the one in the manifest, or that cannot be read
  absl::StatusOr<Program> Load(const v1::ModelFile& file) const;

 private:
  absl::StatusOr<std::string> PlaceOf(const std::string& file) const;

  FileSystem* files_ = nullptr;
  Options options_;
};

// The manifest of a folder as it is now: the SHA-256 of each *.pt and *.pt2 file at or below it, of
// all or, with an error, of none. NOT_FOUND: there is none. INVALID_ARGUMENT: a link leads out of
// the folder, or to a folder around it. OUT_OF_RANGE: folders lie too deep, or are too many files
// for a manifest. ALREADY_EXISTS: it has a manifest.json of something else. Else the errors of
// FileSystem, also for a folder below that cannot be listed.
absl::StatusOr<v1::ModelDirectoryManifest> MakeModelManifest(FileSystem& files,
                                                             const std::string& folder);

// Makes it and writes it, in place of a former one. Errors as above.
absl::StatusOr<v1::ModelDirectoryManifest> WriteModelManifest(FileSystem& files,
                                                              const std::string& folder);

}  // namespace distill

#endif  // DISTILLATION_MODELS_MODEL_DIRECTORY_H_
