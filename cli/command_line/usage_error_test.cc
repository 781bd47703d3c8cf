#include "cli/command_line/usage_error.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace distill {
namespace {

TEST(UsageError, EachKindThatPeopleMeetHasAnIdOfItsOwnAndOthersTheGeneralOne) {
  const std::pair<const char*, ErrorId> kinds[] = {{"RequiredError", ErrorId::kMissingArgument},
                                                   {"ExtrasError", ErrorId::kUnknownFlag},
                                                   {"ConversionError", ErrorId::kBadArgument},
                                                   {"ValidationError", ErrorId::kBadArgument},
                                                   {"ArgumentMismatch", ErrorId::kBadArgument},
                                                   {"ExcludesError", ErrorId::kBadArgument},
                                                   {"FileError", ErrorId::kAnyUsage},
                                                   {"", ErrorId::kAnyUsage}};
  for (const auto& [name, id] : kinds) EXPECT_EQ(UsageErrorId(name), id) << name;
}

}  // namespace
}  // namespace distill
