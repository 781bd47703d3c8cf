// What a label of the live cache is a label of.
#ifndef TEACHER_SERVER_CACHE_LABEL_KEY_H_
#define TEACHER_SERVER_CACHE_LABEL_KEY_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/types.pb.h"

namespace distill {

// The parts of the label key that all rows of an ask share, as the first 16 bytes of
// their SHA-256: two scopes that differ never meet in practice, and a key stays small.
using LabelScope = std::array<uint64_t, 2>;

// The numerics class is among them, since a disk may come to another machine: there labels
// differ in their last bits. The view's digest is empty for un-augmented views, which are
// alike in all specs.
LabelScope ScopeOf(std::string_view fingerprint, std::string_view numerics_class,
                   std::string_view output, std::string_view data_set_digest, v1::Split split,
                   std::string_view view_spec_digest);

// One output for one example in one view.
struct LabelKey {
  LabelScope scope{};
  uint64_t example = 0;
  // 0: the un-augmented view.
  uint64_t view_seed = 0;

  friend bool operator==(const LabelKey&, const LabelKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LabelKey& key) {
    return H::combine(std::move(h), key.scope[0], key.scope[1], key.example, key.view_seed);
  }
};

// The label, one float32 a class; shared, so that an ask keeps what the cache drops. Null:
// there is none.
//
// The cache holds values, not what a codec made of them: an encoded answer cannot be cut
// into rows, students with different codecs share one row, and an answer from the cache is
// encoded like any other. The price is 4 bytes a class, and encoding for each answer.
using LabelRow = std::shared_ptr<const std::vector<float>>;

struct KeyedRow {
  LabelKey key;
  LabelRow row;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_LABEL_KEY_H_
