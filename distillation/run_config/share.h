// The weight of a run where a teacher server serves several.
#ifndef DISTILLATION_RUN_CONFIG_SHARE_H_
#define DISTILLATION_RUN_CONFIG_SHARE_H_

namespace distill {

// A run that says nothing has a share of 1. Beyond the bounds a run would be starved, or
// starve the others.
inline constexpr double kMinShare = 0.01;
inline constexpr double kMaxShare = 100;

// False for what is no number, too.
inline bool IsShare(double share) { return share >= kMinShare && share <= kMaxShare; }

}  // namespace distill

#endif  // DISTILLATION_RUN_CONFIG_SHARE_H_
