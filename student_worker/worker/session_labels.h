// The soft labels of a session: a source for each teacher role, live or recorded.
#ifndef STUDENT_WORKER_WORKER_SESSION_LABELS_H_
#define STUDENT_WORKER_WORKER_SESSION_LABELS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/reader.h"
#include "distillation/order/order.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"
#include "student_worker/worker/label_client.h"
#include "student_worker/worker/role_labels.h"
#include "student_worker/worker/run_session.h"

namespace distill {

// Its calls are made in the order in which they stand here, by the thread that trains; Close
// and SetEndpoints by any, once Start has returned.
class SessionLabels {
 public:
  // All outlive it.
  SessionLabels(const SessionTools& tools, WorldControl& control, const DataSet& data);

  // Opens the recorded sets; before the checkpoint is read, which is to be of the same teachers.
  // INVALID_ARGUMENT: the set cannot serve this run. Errors of LabelSetReader::Open.
  absl::Status OpenSets();
  // The slices of `rank` from `first_step` on are asked for, or read.
  absl::Status Start(int rank, int64_t first_step);
  // The teacher servers of one model.
  void SetEndpoints(const v1::TeacherEndpoints& teachers);
  // Ends every wait.
  void Close(const absl::Status& reason);

  const std::map<std::string, std::shared_ptr<RoleLabels>>& by_role() const { return by_role_; }

 private:
  absl::Status StartRecorded(const v1::TeacherConfig& teacher);
  absl::Status StartLive(const v1::TeacherConfig& teacher);
  // An order of its own, since orders are not shared between threads.
  absl::StatusOr<Order> OrderOfRun() const;
  absl::StatusOr<std::function<absl::StatusOr<v1::ExampleRefs>(int64_t)>> ExamplesOf() const;

  const SessionTools& tools_;
  WorldControl& control_;
  const DataSet& data_;
  const v1::World& world_;
  const v1::RunConfig& run_;
  int rank_ = 0;
  int64_t first_step_ = 0;
  std::map<std::string, std::shared_ptr<RoleLabels>> by_role_;
  std::map<std::string, std::shared_ptr<LabelSetReader>> sets_;
  // By model: those that ask its teacher servers.
  std::map<std::string, std::vector<std::shared_ptr<LabelClient>>> clients_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_SESSION_LABELS_H_
