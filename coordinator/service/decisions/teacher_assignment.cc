#include "coordinator/service/decisions/teacher_assignment.h"

#include <algorithm>

namespace distill {
namespace {

using Assignment = std::map<std::string, std::string>;

bool MayLoad(const TeacherServer& server, const std::string& model) {
  return server.models.empty() ||
         std::find(server.models.begin(), server.models.end(), model) != server.models.end();
}

bool Contains(const std::vector<std::string>& models, const std::string& model) {
  return std::find(models.begin(), models.end(), model) != models.end();
}

size_t Count(const Assignment& assignment, const std::string& model) {
  return std::count_if(assignment.begin(), assignment.end(),
                       [&model](const auto& entry) { return entry.second == model; });
}

// The needed model with the fewest servers that this one may load; empty: none.
std::string Scarcest(const TeacherServer& server, const std::vector<std::string>& needed,
                     const Assignment& assignment) {
  std::string best;
  for (const std::string& model : needed) {
    if (!MayLoad(server, model)) continue;
    if (best.empty() || Count(assignment, model) < Count(assignment, best)) best = model;
  }
  return best;
}

}  // namespace

std::map<std::string, std::string> AssignTeachers(const std::vector<TeacherServer>& servers,
                                                  const std::vector<std::string>& needed,
                                                  const Assignment& former) {
  Assignment assignment;
  for (const TeacherServer& server : servers) {
    const auto it = former.find(server.worker);
    const std::string kept = it != former.end() ? it->second : server.loaded;
    if (Contains(needed, kept) && MayLoad(server, kept)) assignment[server.worker] = kept;
  }
  for (const TeacherServer& server : servers) {
    if (assignment.count(server.worker)) continue;
    const std::string model = Scarcest(server, needed, assignment);
    if (!model.empty()) assignment[server.worker] = model;
  }
  for (const std::string& model : needed) {
    if (Count(assignment, model) > 0) continue;
    const TeacherServer* giver = nullptr;
    size_t most = 1;
    for (const TeacherServer& server : servers) {
      const auto it = assignment.find(server.worker);
      if (it == assignment.end() || !MayLoad(server, model)) continue;
      if (const size_t count = Count(assignment, it->second); count > most) {
        most = count;
        giver = &server;
      }
    }
    if (giver != nullptr) assignment[giver->worker] = model;
  }
  return assignment;
}

}  // namespace distill
