#include "distillation/label_sets/filler.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "distillation/order/order.h"

namespace distill {
namespace {

absl::Status Differs(const char* what, const std::string& theirs, const std::string& ours) {
  return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                         "the teacher's ", what, " is '", theirs, "', the label set has '", ours,
                         "'; ask another teacher, or record "
                         "another set")),
                     ErrorId::kLabelSetOfOthers);
}

}  // namespace

absl::Status CheckOpened(const LabelSetIdentity& identity, const v1::Opened& opened) {
  if (opened.fingerprint() != identity.fingerprint) {
    return Differs("fingerprint", opened.fingerprint(), identity.fingerprint);
  }
  if (opened.codec() != identity.codec) return Differs("codec", opened.codec(), identity.codec);
  if (opened.numerics_class().text() != identity.numerics_class) {
    return Differs("numerics class", opened.numerics_class().text(), identity.numerics_class);
  }
  if (opened.max_request_examples() >= identity.block_rows) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "a block of ", identity.block_rows, " rows does not fit a request of the teacher (at most ",
      opened.max_request_examples(), "); record with that as block_rows, or less"));
}

LabelSetFiller::LabelSetFiller(const LabelSetIdentity& identity, const v1::ViewSpec& view,
                               std::vector<uint64_t> missing, const LabelSetFillerOptions& options)
    : identity_(identity),
      view_(view),
      options_(options),
      left_(missing.size()),
      waiting_(missing.begin(), missing.end()) {
  for (const uint64_t block : missing) ++incomplete_[PartOf(block)];
}

std::optional<LabelSetFiller::BlockAsk> LabelSetFiller::Next() {
  if (!status_.ok() || waiting_.empty()) return std::nullopt;
  if (outstanding_.size() >= static_cast<size_t>(options_.max_outstanding)) return std::nullopt;
  // Parts are begun in order, so the first few incomplete ones are those that are begun.
  const uint64_t block = *waiting_.begin();
  uint64_t begun = 1;
  for (auto part = incomplete_.begin(); part->first != PartOf(block); ++part) {
    if (++begun > options_.max_parts_begun) return std::nullopt;
  }
  waiting_.erase(waiting_.begin());
  const uint64_t id = ++last_request_;
  outstanding_[id] = block;
  return BlockAsk{id, block, ExamplesOf(block)};
}

v1::ExampleRefs LabelSetFiller::ExamplesOf(uint64_t block) const {
  v1::ExampleRefs refs;
  refs.set_data_set_digest(identity_.data_set_digest);
  refs.set_split(identity_.split);
  refs.set_view_spec_digest(identity_.view_spec_digest);
  *refs.mutable_view_spec() = view_;
  const uint64_t first = block * identity_.block_rows;
  for (uint64_t row = first; row < first + identity_.RowsOf(block); ++row) {
    const uint64_t example = row % identity_.examples;
    refs.add_ids(example);
    if (identity_.views == 0) continue;
    refs.add_view_seeds(ViewSeedOf(identity_.view_seed, row / identity_.examples, example));
  }
  return refs;
}

std::optional<uint64_t> LabelSetFiller::BlockOf(uint64_t request_id) const {
  const auto it = outstanding_.find(request_id);
  if (it == outstanding_.end()) return std::nullopt;
  return it->second;
}

absl::StatusOr<EncodedLabels> LabelSetFiller::Accept(uint64_t request_id,
                                                     const v1::Section& section,
                                                     std::span<const std::byte> payload) const {
  const std::optional<uint64_t> block = BlockOf(request_id);
  if (!block.has_value()) {
    return absl::NotFoundError(absl::StrCat("request ", request_id, " is not outstanding"));
  }
  const bool fits = section.output() == identity_.output && section.codec() == identity_.codec &&
                    section.dtype() == v1::FLOAT32 && section.row_splits().empty() &&
                    section.dims_size() == 2 &&
                    static_cast<uint64_t>(section.dims(0)) == identity_.RowsOf(*block) &&
                    static_cast<uint64_t>(section.dims(1)) == identity_.classes;
  // Subtracted rather than added: offset + length may pass 2^64.
  if (!fits || section.offset() > payload.size() ||
      section.length() > payload.size() - section.offset()) {
    return absl::DataLossError(absl::StrCat("the answer for block ", *block, " is not float32 [",
                                            identity_.RowsOf(*block), ", ", identity_.classes,
                                            "] of output '", identity_.output, "' in ",
                                            identity_.codec, "; ask another teacher"));
  }
  const std::span<const std::byte> bytes = payload.subspan(section.offset(), section.length());
  EncodedLabels labels;
  labels.bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  labels.parameters = section.parameters();
  return labels;
}

void LabelSetFiller::Filled(uint64_t request_id) {
  const auto node = outstanding_.extract(request_id);
  if (node.empty()) return;
  --left_;
  const auto part = incomplete_.find(PartOf(node.mapped()));
  if (--part->second == 0) incomplete_.erase(part);
}

void LabelSetFiller::Failed(uint64_t request_id, const absl::Status& why) {
  const auto node = outstanding_.extract(request_id);
  if (node.empty()) return;
  const uint64_t block = node.mapped();
  waiting_.insert(block);
  if (++failures_[block] < options_.max_attempts || !status_.ok()) return;
  status_ = Annotate(why, absl::StrCat("block ", block, " failed ", failures_[block], " times"));
}

}  // namespace distill
