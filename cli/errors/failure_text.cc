#include "cli/errors/failure_text.h"

#include "absl/strings/str_cat.h"

namespace distill {

ErrorId GeneralErrorId(ExitCode code) {
  switch (code) {
    case ExitCode::kUsage:
      return ErrorId::kAnyUsage;
    case ExitCode::kConfiguration:
      return ErrorId::kAnyConfiguration;
    case ExitCode::kUnreachable:
      return ErrorId::kAnyUnreachable;
    case ExitCode::kRefused:
      return ErrorId::kAnyRefusal;
    case ExitCode::kPreempted:
      return ErrorId::kStoppedResumable;
    case ExitCode::kData:
      return ErrorId::kAnyData;
    case ExitCode::kInterrupted:
      return ErrorId::kInterrupted;
    case ExitCode::kDone:
    case ExitCode::kRunFailed:
      break;
  }
  return ErrorId::kAnyRunFailure;
}

std::string WithSomeId(std::string_view message, ExitCode code) {
  if (ErrorIdIn(message).has_value()) return std::string(message);
  return TextWithId(message, GeneralErrorId(code));
}

std::string WithSomeId(const absl::Status& status, ExitCode code) {
  const std::string message = MessageWithId(status);
  if (!absl::IsResourceExhausted(status) || ErrorIdIn(message).has_value()) {
    return WithSomeId(message, code);
  }
  return TextWithId(message, ErrorId::kAnyMachine);
}

std::string LossText(const std::string& name, const std::string& how, ErrorId id, bool told,
                     const std::string& path, const std::string& log_end) {
  if (log_end.empty()) return TextWithId(how, id);
  const std::string text = absl::StrCat(how, "; the end of ", path, ":\n", log_end);
  if (told && ErrorIdIn(log_end).has_value()) return text;
  return TextWithId(absl::StrCat(text, "\nHow ", name, " ended:"), id);
}

std::string FailureText(std::string_view message, ExitCode code) {
  const std::string text = WithSomeId(message, code);
  return absl::StrCat("distillctl: ", text, "\nMore: distillctl explain ",
                      ErrorIdName(*ErrorIdIn(text)));
}

}  // namespace distill
