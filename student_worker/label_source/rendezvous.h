// Which teacher is asked for which example, so that the caches of all are one: the same
// example always goes to the same teacher, as long as that can keep up.
#ifndef STUDENT_WORKER_LABEL_SOURCE_RENDEZVOUS_H_
#define STUDENT_WORKER_LABEL_SOURCE_RENDEZVOUS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "student_worker/label_source/teacher_choice.h"

namespace distill {

// All functions here are pure, and equal for all students.

// Of a label: an example in a view.
uint64_t LabelKeyHash(uint64_t example, uint64_t view_seed);
// Of a teacher, by the name that it keeps over restarts.
uint64_t TeacherHash(std::string_view name);

struct RendezvousTeacher {
  uint64_t hash = 0;
  // Its share of the keys is in proportion.
  double speed = 1;
  // Keys that it may get.
  int64_t room = 0;
};

// For each key the index of a teacher, or -1 where no room was left. Highest random weight
// (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM
// Transactions on Networking 6(1), 1998): every key ranks the teachers by its own draws,
// speed / -ln(draw), and goes to the first; without one teacher only that one's keys move, to
// all others, and when a speed changes only as many as its share does. A teacher without room
// keeps the keys that rank it highest and the others go to their next (as in "Consistent
// hashing with bounded loads", Mirrokni et al., SODA 2018, but whatever the order of the
// keys): so it is the same keys that leave it from step to step.
std::vector<int> DivideByRendezvous(std::span<const uint64_t> keys,
                                    std::span<const RendezvousTeacher> teachers);

// Fills in `speed` and `room`. Speeds are steady ones, and equal where none is a fifth faster
// than another: an example that moves is computed anew, so noise must not move it. There is
// room for `examples` more until a teacher has twice its share by speed of all that is
// outstanding: one that is slow of late, or hangs, gets no more then. One that is half-open, or
// unknown beside known ones, may have one ask of an equal share. There is room for all
// `examples`, unless there are only such ones.
void SetSpeedsAndRoom(std::span<const TeacherCandidate> candidates, int64_t examples,
                      std::span<RendezvousTeacher> teachers);

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_RENDEZVOUS_H_
