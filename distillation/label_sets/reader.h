// A recorded label set, read at any row.
#ifndef DISTILLATION_LABEL_SETS_READER_H_
#define DISTILLATION_LABEL_SETS_READER_H_

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_system.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/identity.h"
#include "distillation/labels/codec.h"

namespace distill {

struct LabelSetReaderOptions {
  // Of decoded blocks (4 bytes a value), the least recently used ones leave first; the
  // block read last is always held. Rows are drawn at random in training, so a set that
  // does not fit costs about one read and one decoding of a block for each row: give it
  // room, or record with a small block_rows.
  uint64_t cache_bytes = uint64_t{256} << 20;
};

// Thread-safe: disk and decoding run without a lock, so two threads that miss the same
// block both read it. The file system outlives the reader.
//
//   ASSIGN_OR_RETURN(auto set, LabelSetReader::Open(&files, dir, asked, {}));
//   std::vector<float> labels(rows.size() * set->identity().classes);
//   RETURN_IF_ERROR(set->Read(rows, labels));
class LabelSetReader {
 public:
  // Reads the manifest and the header of each part: 20 bytes a block stay in memory.
  //   NOT_FOUND            no manifest: the set was not recorded, or not to its end.
  //   INVALID_ARGUMENT     the file of that name is no manifest.
  //   FAILED_PRECONDITION  another format version, not what is asked for (CheckHeld), or a
  //                        part is another set's.
  //   DATA_LOSS            a file is torn, missing or changed: record again, which keeps
  //                        the sound parts. Or the disk failed, by its id.
  //   UNIMPLEMENTED        the codec is unknown to this program.
  static absl::StatusOr<std::unique_ptr<LabelSetReader>> Open(FileSystem* files,
                                                              const std::string& directory,
                                                              const LabelSetIdentity& asked,
                                                              const LabelSetReaderOptions& options);

  const LabelSetIdentity& identity() const { return identity_; }

  // Row of an example in view `view` (identity.h).
  uint64_t RowOf(uint64_t example, uint32_t view) const {
    return view * identity_.examples + example;
  }

  // Writes the labels of `rows`, in that order and with repetitions, to `out`, float32
  // [rows.size(), classes]. Each block is checked when it is read. OUT_OF_RANGE for a row
  // beyond the set, INVALID_ARGUMENT for an `out` of another size, else as of Open with
  // file and block; then `out` is unspecified.
  absl::Status Read(std::span<const uint64_t> rows, std::span<float> out) ABSL_LOCKS_EXCLUDED(mu_);

  // Reads every part and compares it with the manifest; DATA_LOSS names the first that
  // differs.
  absl::Status Verify();

  // Bytes of decoded blocks that are held.
  uint64_t cached_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Values = std::shared_ptr<const std::vector<float>>;
  using Recent = std::list<std::pair<uint64_t, Values>>;

  LabelSetReader(FileSystem* files, std::string directory, LabelSetManifest manifest,
                 std::shared_ptr<const LabelCodec> codec, const LabelSetReaderOptions& options);

  absl::Status ReadTables();
  absl::Status CheckLengths(uint64_t part, const PartTable& table) const;
  absl::StatusOr<Values> Block(uint64_t block) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Values> Load(uint64_t block) const;
  void Keep(uint64_t block, Values values) ABSL_LOCKS_EXCLUDED(mu_);
  std::string PathOf(uint64_t part) const;

  FileSystem* const files_;
  const std::string directory_;
  const LabelSetManifest manifest_;
  const LabelSetIdentity& identity_;
  const std::shared_ptr<const LabelCodec> codec_;
  const LabelSetReaderOptions options_;
  const bool all_fit_;
  // By part; constant after Open.
  std::vector<PartTable> tables_;

  mutable absl::Mutex mu_;
  // Most recently used first.
  Recent recent_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, Recent::iterator> held_ ABSL_GUARDED_BY(mu_);
  uint64_t cached_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

// What a directory holds, whatever it is: for people. Errors as of Open.
absl::StatusOr<LabelSetManifest> ReadLabelSetManifest(FileSystem& files,
                                                      const std::string& directory);

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_READER_H_
