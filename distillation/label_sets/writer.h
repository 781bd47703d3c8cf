// Fills the directory of a recorded label set, in any order and over many attempts.
#ifndef DISTILLATION_LABEL_SETS_WRITER_H_
#define DISTILLATION_LABEL_SETS_WRITER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_system.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/identity.h"
#include "distillation/labels/codec.h"

namespace distill {

struct LabelSetWriterOptions {
  // Of blocks whose part is not complete; one part is always allowed.
  uint64_t max_pending_bytes = uint64_t{256} << 20;
};

// OK where a set may be recorded in that directory: there is none, it is empty, or it holds some
// of a set. FAILED_PRECONDITION names a file that belongs to something else; else the file
// system's, where it is no directory.
absl::Status CheckFolderOfSet(FileSystem& files, const std::string& directory);

// Blocks wait in memory until their part is complete; then the part is written whole to
// another name, synced and renamed. So after a crash every part file is whole or absent,
// and the same identity and labels give the same files whatever happened on the way.
// One writer to a directory. Thread-safe: parts are written by the caller of Add, without
// a lock, so several threads write several parts.
//
//   ASSIGN_OR_RETURN(auto writer, LabelSetWriter::Open(&files, dir, identity, {}));
//   for (uint64_t block : writer->MissingBlocks()) RETURN_IF_ERROR(writer->Add(block, ...));
//   RETURN_IF_ERROR(writer->Finish());
class LabelSetWriter {
 public:
  // Creates the directory, or goes on where a former attempt ended: its parts are read and
  // verified; those that are sound are kept, the others are missing again. A finished set
  // that is sound has nothing missing. The file system outlives the writer.
  //   FAILED_PRECONDITION  the directory holds labels of another set, or something else:
  //                        take another one.
  //   INVALID_ARGUMENT     the identity (CheckIdentity), or a file that is no manifest.
  //   UNIMPLEMENTED        the codec is unknown.
  static absl::StatusOr<std::unique_ptr<LabelSetWriter>> Open(FileSystem* files,
                                                              const std::string& directory,
                                                              const LabelSetIdentity& identity,
                                                              const LabelSetWriterOptions& options);

  const LabelSetIdentity& identity() const { return identity_; }

  // Blocks that are neither on the disk nor added, rising.
  std::vector<uint64_t> MissingBlocks() const ABSL_LOCKS_EXCLUDED(mu_);

  // The labels of a block, as its codec encoded them. One that is there already is ignored.
  //   OUT_OF_RANGE        no such block.
  //   DATA_LOSS           they do not decode or may not be trained on: ask another teacher.
  //   RESOURCE_EXHAUSTED  too many parts are begun (the block is not kept): add the blocks
  //                       of one part after those of another.
  //   else, the file system's, INTERNAL where the device failed: the part could not be written,
  //   and its blocks are missing again. Stop, put the cause right, and open the directory anew.
  absl::Status Add(uint64_t block, EncodedLabels labels) ABSL_LOCKS_EXCLUDED(mu_);

  // Writes the manifest, which makes the directory a set. FAILED_PRECONDITION while a
  // block is missing.
  absl::Status Finish() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Part {
    // Set once the file is there.
    bool written = false;
    LabelSetManifest::Part recorded;
    // By block; empty once they are being written.
    std::map<uint64_t, EncodedLabels> pending;
    uint64_t pending_bytes = 0;
    bool writing = false;
  };

  LabelSetWriter(FileSystem* files, std::string directory, const LabelSetIdentity& identity,
                 std::shared_ptr<const LabelCodec> codec, const LabelSetWriterOptions& options);

  // Of Open.
  absl::Status TakeStock();
  absl::Status KeepIfSound(uint64_t part, const std::string& path);

  absl::Status CheckLabels(uint64_t block, const EncodedLabels& labels) const;
  absl::Status WritePart(uint64_t part, std::map<uint64_t, EncodedLabels> blocks)
      ABSL_LOCKS_EXCLUDED(mu_);

  FileSystem* const files_;
  const std::string directory_;
  const LabelSetIdentity identity_;
  const std::string digest_;
  const std::shared_ptr<const LabelCodec> codec_;
  const LabelSetWriterOptions options_;

  mutable absl::Mutex mu_;
  std::vector<Part> parts_ ABSL_GUARDED_BY(mu_);
  uint64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_WRITER_H_
