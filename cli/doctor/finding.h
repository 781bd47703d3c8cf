// One line of distillctl doctor.
#ifndef CLI_DOCTOR_FINDING_H_
#define CLI_DOCTOR_FINDING_H_

#include <span>
#include <string>

namespace distill {

enum class Verdict { kOk, kWarn, kFail };

struct Finding {
  Verdict verdict = Verdict::kOk;
  // Its name in lines and JSON: "memory".
  std::string check;
  // What was found.
  std::string found;
  // What to do about it; empty where nothing is to be done.
  std::string fix;
};

// "OK    memory: 12.3 GiB free", "FAIL  disk: 10 MiB free below runs; free some, or ...".
std::string FindingsText(std::span<const Finding> findings);
// {"version": 1, "ok": true, "checks": [{check, verdict, found, fix}]}, pretty-printed.
std::string FindingsJson(std::span<const Finding> findings);
// Whether none failed.
bool NoneFailed(std::span<const Finding> findings);

}  // namespace distill

#endif  // CLI_DOCTOR_FINDING_H_
