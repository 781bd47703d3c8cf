#include "student_worker/label_source/label_source_fleet.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace distill {

void Fleet::Kill(const std::string& name) {
  teachers_[name].alive = false;
  teachers_[name].queue.clear();
  for (size_t i = 0; i < students_.size(); ++i) {
    In(100 * absl::Microseconds(1), [this, i, name] {
      students_[i]->source->StreamLost(name, absl::UnavailableError("reset"), now_);
    });
  }
}

void Fleet::RunUntil(absl::Duration end) {
  Settle();
  while (!events_.empty() && events_.begin()->first <= end) {
    auto event = events_.extract(events_.begin());
    now_ = event.key();
    event.mapped()();
    Settle();
  }
  now_ = end;
}

void Fleet::Settle() {
  for (size_t i = 0; i < students_.size(); ++i) {
    Student& student = *students_[i];
    student.source->Advance(now_);
    while (student.source->Ready() && student.busy_until <= now_) Take(student);
    for (const LabelAction& action : student.source->TakeActions()) Do(i, action);
    const absl::Duration next = student.source->NextDeadline();
    if (next < absl::InfiniteDuration() && next != student.wake_at) {
      ASSERT_GT(next, now_) << "what is due was not done";
      student.wake_at = next;
      events_.emplace(next, [&student] { student.wake_at = absl::InfiniteDuration(); });
    }
  }
}

void Fleet::Take(Student& student) {
  std::set<int32_t> positions;
  for (const LabelPart& part : student.source->Take(now_)) {
    for (const int32_t position : part.positions) {
      ASSERT_TRUE(positions.insert(position).second);
    }
    ASSERT_EQ(*static_cast<const int64_t*>(part.payload.get()), student.next_step);
  }
  ASSERT_EQ(positions.size(), size_t{kExamples});
  ++student.next_step;
  ++taken_;
  if (&student == students_[0].get()) waits_.push_back(now_ - student.taken_at);
  student.taken_at = now_;
  student.busy_until = now_ + step_time_;
  if (step_time_ > absl::ZeroDuration()) In(step_time_, [] {});
}

void Fleet::Do(size_t i, const LabelAction& action) {
  if (const auto* open = std::get_if<OpenStream>(&action)) {
    const std::string name = open->endpoint.name;
    In(2 * teachers_[name].speed.network, [this, i, name] {
      if (teachers_[name].alive) {
        students_[i]->source->StreamOpened(name, "class", now_);
      } else {
        students_[i]->source->StreamLost(name, absl::UnavailableError("refused"), now_);
      }
    });
  } else if (const auto* ask = std::get_if<AskLabels>(&action)) {
    steps_[{i, ask->request_id}] = ask->step;
    Request request = {i, ask->request_id, static_cast<int64_t>(ask->positions.size()), {}};
    if (keys_of_) {
      const std::vector<uint64_t> keys = keys_of_(ask->step);
      for (const int32_t position : ask->positions) {
        request.keys.push_back(keys[static_cast<size_t>(position)]);
      }
    }
    In(teachers_[ask->endpoint].speed.network, [this, name = ask->endpoint, request] {
      Teacher& teacher = teachers_[name];
      if (!teacher.alive) return;
      teacher.queue.push_back(request);
      Work(name);
    });
  } else if (const auto* cancel = std::get_if<CancelAsk>(&action)) {
    const uint64_t id = cancel->request_id;
    In(teachers_[cancel->endpoint].speed.network, [this, i, name = cancel->endpoint, id] {
      std::erase_if(teachers_[name].queue, [&](const Request& request) {
        return request.student == i && request.id == id;
      });
    });
  } else if (const auto* close = std::get_if<CloseStream>(&action)) {
    std::erase_if(teachers_[close->endpoint].queue,
                  [&](const Request& request) { return request.student == i; });
  } else {
    ADD_FAILURE() << "gave up: " << std::get<GiveUp>(action).status;
  }
}

void Fleet::Work(const std::string& name) {
  Teacher& teacher = teachers_[name];
  if (!teacher.alive || teacher.frozen || teacher.working || teacher.queue.empty()) return;
  teacher.working = true;
  const Request request = teacher.queue.front();
  teacher.queue.pop_front();
  const Speed& speed = teacher.speed;
  const int64_t found = speed.hit > absl::ZeroDuration() ? Cache(teacher, request) : 0;
  absl::Duration time =
      speed.per_request + found * speed.hit +
      absl::Seconds(static_cast<double>(request.examples - found) / speed.examples_per_second);
  time *= 1 + speed.noise * (2 * Draw() - 1);
  if (speed.tail > 0 && Draw() < speed.tail) time *= 10;
  In(time, [this, name, request] { Answer(name, request); });
}

void Fleet::Answer(const std::string& name, const Request& request) {
  Teacher& teacher = teachers_[name];
  if (!teacher.alive) return;
  if (teacher.frozen) {  // the answer waits as well
    In(kMs, [this, name, request] { Answer(name, request); });
    return;
  }
  teacher.working = false;
  teacher.examples += request.examples;
  In(teacher.speed.network, [this, request] {
    students_[request.student]->source->Answered(
        request.id, std::make_shared<const int64_t>(steps_.at({request.student, request.id})),
        now_);
  });
  Work(name);
}

}  // namespace distill
