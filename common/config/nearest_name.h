// "Did you mean": the known name closest to a misspelt one.
#ifndef COMMON_CONFIG_NEAREST_NAME_H_
#define COMMON_CONFIG_NEAREST_NAME_H_

#include <span>
#include <string>
#include <string_view>

namespace distill {

// Insertions, deletions and replacements of bytes that turn `a` into `b`, and
// swaps of two neighbours (optimal string alignment).
int EditDistance(std::string_view a, std::string_view b);

// The nearest of `known` if it is near enough to be what was meant (a third of its
// length, at least one edit, ASCII case ignored); otherwise empty. The first wins
// a tie. Names over 100 bytes are never near.
std::string NearestName(std::string_view name, std::span<const std::string> known);

// "; did you mean training?", or "; known are: a, b" where nothing is near.
std::string SuggestName(std::string_view name, std::span<const std::string> known);

}  // namespace distill

#endif  // COMMON_CONFIG_NEAREST_NAME_H_
