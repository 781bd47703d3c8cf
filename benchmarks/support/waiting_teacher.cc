#include "benchmarks/support/waiting_teacher.h"

#include <iostream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"
#include "common/memory/malloc_tuning.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/label_stream/label_stream.h"

namespace distill {
namespace {

constexpr char kFlag[] = "--serve-waiting";

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> StartWaitingTeacher(
    const WaitingTeacherOptions& options) {
  return ChildProcess::Start({kFlag, absl::StrCat(options.seconds_per_row),
                              absl::StrCat(options.classes), absl::StrCat(options.max_batch),
                              absl::StrCat(options.cache_mib),
                              absl::StrCat(options.max_server_mib)});
}

std::optional<int> ServeIfWaitingTeacher(int argc, char** argv) {
  WaitingTeacherOptions options;
  if (argc != 7 || std::string(argv[1]) != kFlag ||
      !absl::SimpleAtod(argv[2], &options.seconds_per_row) ||
      !absl::SimpleAtoi(argv[3], &options.classes) ||
      !absl::SimpleAtoi(argv[4], &options.max_batch) ||
      !absl::SimpleAtoi(argv[5], &options.cache_mib) ||
      !absl::SimpleAtoi(argv[6], &options.max_server_mib)) {
    return std::nullopt;
  }
  KeepFreedMemory();  // As every process of the product.
  SystemClock clock;
  auto runner = std::make_shared<WaitingRunner>(BenchModel(options.classes), options.max_batch,
                                                absl::Seconds(options.seconds_per_row), &clock);
  LabelCache cache(static_cast<uint64_t>(options.cache_mib) << 20, nullptr);
  LabelStreamOptions stream;
  stream.max_server_bytes = static_cast<uint64_t>(options.max_server_mib) << 20;
  const auto teacher = BenchTeacher::Start(runner, options.max_batch, &clock, /*observer=*/nullptr,
                                           options.cache_mib > 0 ? &cache : nullptr, stream);
  if (!teacher.ok()) {
    std::cerr << teacher.status() << "\n";
    return 1;
  }
  ChildProcess::ServeUntilParentEnds((*teacher)->address());
  return 0;
}

}  // namespace distill
