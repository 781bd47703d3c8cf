// LibTorch reports by exceptions; this turns them into a status at our boundary.
#ifndef DISTILLATION_MODELS_TORCH_STATUS_H_
#define DISTILLATION_MODELS_TORCH_STATUS_H_

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace distill {

// Calls f(). RESOURCE_EXHAUSTED when memory ran out, INTERNAL, starting with
// `what`, for anything else that LibTorch throws. Its stack trace is left out.
template <typename F>
absl::Status CallTorch(std::string_view what, F&& f) {
  try {
    std::forward<F>(f)();
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(std::string(what), ": out of memory"));
  } catch (const std::exception& error) {
    const std::string message = error.what();
    return absl::InternalError(absl::StrCat(
        std::string(what), ": ", message.substr(0, message.find("\nException raised from "))));
  }
}

// Of a file that LibTorch did not load. INTERNAL says only that it threw: mostly the file is at
// fault, which `code` and `advice` say. Other errors, as of memory, say nothing of the file.
inline absl::Status BlameFile(const absl::Status& status, absl::StatusCode code,
                              std::string_view advice) {
  if (!absl::IsInternal(status)) return status;
  return absl::Status(code, absl::StrCat(status.message(), "; ", std::string(advice)));
}

}  // namespace distill

#endif  // DISTILLATION_MODELS_TORCH_STATUS_H_
