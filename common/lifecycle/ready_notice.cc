#include "common/lifecycle/ready_notice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace distill {

absl::Status NotifyReady(int fd, std::string_view line) {
  if (line.find('\n') != std::string_view::npos) {
    return absl::InvalidArgumentError("a ready notice is one line");
  }
  std::string rest = absl::StrCat(std::string(line), "\n");
  while (!rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ready-fd=", fd, " cannot be written: ", strerror(errno)));
    }
    rest.erase(0, n);
  }
  close(fd);
  return absl::OkStatus();
}

}  // namespace distill
