// Which blocks of a label set to ask a teacher for next.
#ifndef DISTILLATION_LABEL_SETS_FILLER_H_
#define DISTILLATION_LABEL_SETS_FILLER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distillation/label_sets/identity.h"
#include "distillation/labels/codec.h"
#include "proto/teacher.pb.h"

namespace distill {

struct LabelSetFillerOptions {
  // Asks without an outcome.
  int max_outstanding = 16;
  // Parts that are begun and not complete: a writer holds their blocks in memory.
  uint64_t max_parts_begun = 4;
  // Of one block, before the recording gives up.
  int max_attempts = 10;
};

// Whether a stream that a teacher server opened can give the labels of this set.
// FAILED_PRECONDITION names what differs: fingerprint, codec, numerics class, or a block
// that is no single request there.
absl::Status CheckOpened(const LabelSetIdentity& identity, const v1::Opened& opened);

// A pure state machine for any number of teachers. Thread-compatible. Answers come in
// any order.
//
//   LabelSetFiller filler(identity, view, writer->MissingBlocks(), {});
//   while (auto ask = filler.Next()) ...send it to any teacher
//   on an answer: auto labels = filler.Accept(id, section, payload), then writer->Add, and
//     filler.Filled(id) or filler.Failed(id, status), and Next again
//   filler.done(): writer->Finish()
class LabelSetFiller {
 public:
  struct BlockAsk {
    uint64_t request_id = 0;
    uint64_t block = 0;
    v1::ExampleRefs examples;
  };

  // `view` has the digest identity.view_spec_digest; `missing` rises.
  LabelSetFiller(const LabelSetIdentity& identity, const v1::ViewSpec& view,
                 std::vector<uint64_t> missing, const LabelSetFillerOptions& options);

  // The next block to ask for; nothing while enough is outstanding, or when none is left.
  // Blocks come in order, those that failed first.
  std::optional<BlockAsk> Next();

  // The labels that an answer to a request brings; the request stays outstanding.
  // DATA_LOSS when they are not those of its block, NOT_FOUND when it is not outstanding
  // (any more): drop the answer.
  absl::StatusOr<EncodedLabels> Accept(uint64_t request_id, const v1::Section& section,
                                       std::span<const std::byte> payload) const;
  // The block of an outstanding request.
  std::optional<uint64_t> BlockOf(uint64_t request_id) const;

  // The outcome of a request; ignored when it is not outstanding. One that failed is asked
  // again, with another request id.
  void Filled(uint64_t request_id);
  void Failed(uint64_t request_id, const absl::Status& why);

  // Every block is filled.
  bool done() const { return left_ == 0; }
  // Not OK once a block has failed too often: give up. Next has nothing from then on.
  const absl::Status& status() const { return status_; }
  uint64_t blocks_left() const { return left_; }
  size_t outstanding() const { return outstanding_.size(); }

 private:
  v1::ExampleRefs ExamplesOf(uint64_t block) const;
  uint64_t PartOf(uint64_t block) const { return block / identity_.part_blocks; }

  const LabelSetIdentity identity_;
  const v1::ViewSpec view_;
  const LabelSetFillerOptions options_;
  uint64_t left_;
  uint64_t last_request_ = 0;
  // Not asked, or to be asked again.
  std::set<uint64_t> waiting_;
  // Request to block.
  std::map<uint64_t, uint64_t> outstanding_;
  std::map<uint64_t, int> failures_;
  // Blocks not filled, of the parts that are not complete.
  std::map<uint64_t, uint64_t> incomplete_;
  absl::Status status_;
};

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_FILLER_H_
