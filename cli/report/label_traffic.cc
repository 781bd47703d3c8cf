#include "cli/report/label_traffic.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/schedules/schedule.h"

namespace distill {
namespace {

// Of the bytes in use.
constexpr double kWorthNaming = 0.8;
constexpr char kHalf[] = "dense_fp16";
constexpr char kHead[] = "top_k/16";

uint64_t BytesOf(const absl::StatusOr<std::shared_ptr<const LabelCodec>>& codec, uint32_t classes) {
  if (!codec.ok() || (*codec)->layout() == LabelLayout::kHidden) return 0;
  const absl::StatusOr<uint64_t> bytes = (*codec)->EncodedBytes(1, classes);
  return bytes.ok() ? *bytes : 0;
}

// top_k, if it can serve the run.
absl::StatusOr<std::shared_ptr<const LabelCodec>> HeadFor(const v1::RunConfig& run) {
  if (std::ranges::any_of(run.objective(), [](const auto& term) { return term.has_logit_mse(); })) {
    return absl::InvalidArgumentError("logit_mse needs the logits of all classes");
  }
  const auto temperature =
      ScheduleFunction::Create(run.schedules().temperature(), ScheduleKind::kTemperature);
  if (!temperature.ok()) return temperature.status();
  const auto [low, high] = temperature->Bounds(run.training().steps());
  return FindCodecForRun(kHead, low, high);
}

}  // namespace

LabelTraffic TrafficOf(const v1::PlanConfig& plan, const v1::RunConfig& run) {
  const auto data = std::ranges::find(plan.data_sets(), run.data_set(), &v1::DataSetConfig::name);
  if (data == plan.data_sets().end() || run.labels().codecs().empty()) return {};
  LabelTraffic traffic;
  traffic.bytes = BytesOf(FindCodec(run.labels().codecs(0)), data->classes());
  if (traffic.bytes == 0) return {};
  traffic.codec = run.labels().codecs(0);
  uint64_t least = static_cast<uint64_t>(kWorthNaming * static_cast<double>(traffic.bytes));
  const auto consider = [&](const char* name, uint64_t bytes) {
    if (bytes == 0 || bytes > least) return;
    traffic.smaller = name;
    traffic.smaller_bytes = least = bytes;
  };
  consider(kHalf, BytesOf(FindCodec(kHalf), data->classes()));
  consider(kHead, BytesOf(HeadFor(run), data->classes()));
  return traffic;
}

}  // namespace distill
