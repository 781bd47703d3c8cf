// What this program is: its version, and what it was built from and with.
#ifndef COMMON_BUILD_INFO_BUILD_INFO_H_
#define COMMON_BUILD_INFO_BUILD_INFO_H_

#include <string>
#include <vector>

namespace distill {

inline constexpr char kVersion[] = "0.1.0";

// The commit of a build with --config=stamped, "unknown" of any other: a stamp in every
// build would link everything anew after each commit.
const char* BuildCommit();

// "g++ 12.2.0" or "clang 19.1.4".
std::string BuildCompiler();

// Of the processor that runs this, the features that decide how fast it computes: of "sse4.2",
// "avx2", "fma", "avx512f", "avx512_vnni". Empty on one that is not x86.
std::vector<std::string> CpuFeatures();

}  // namespace distill

#endif  // COMMON_BUILD_INFO_BUILD_INFO_H_
