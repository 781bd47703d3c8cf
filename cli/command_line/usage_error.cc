#include "cli/command_line/usage_error.h"

namespace distill {

ErrorId UsageErrorId(std::string_view name) {
  if (name == "RequiredError") return ErrorId::kMissingArgument;
  if (name == "ExtrasError") return ErrorId::kUnknownFlag;
  if (name == "ConversionError" || name == "ValidationError" || name == "ArgumentMismatch" ||
      name == "ExcludesError") {
    return ErrorId::kBadArgument;
  }
  return ErrorId::kAnyUsage;
}

}  // namespace distill
