// Which teacher server serves which model: a pure function of who is there, what
// is needed and what was assigned before.
#ifndef COORDINATOR_SERVICE_DECISIONS_TEACHER_ASSIGNMENT_H_
#define COORDINATOR_SERVICE_DECISIONS_TEACHER_ASSIGNMENT_H_

#include <map>
#include <string>
#include <vector>

namespace distill {

struct TeacherServer {
  std::string worker;
  // Models it may load; empty: any.
  std::vector<std::string> models;
  // What it has loaded by its own report; empty: nothing.
  std::string loaded;
};

// Server -> model. Servers keep a model that is still needed; a free one keeps
// what it has loaded, else takes the needed model with the fewest servers (the
// first of `needed` among equals). A model without any takes a server from the
// model with the most, if that has two. Servers for which nothing is needed are
// left out.
std::map<std::string, std::string> AssignTeachers(const std::vector<TeacherServer>& servers,
                                                  const std::vector<std::string>& needed,
                                                  const std::map<std::string, std::string>& former);

}  // namespace distill

#endif  // COORDINATOR_SERVICE_DECISIONS_TEACHER_ASSIGNMENT_H_
