// Compiled by Bazel for each program it links (`linkstamp` in BUILD), with the lines of
// tools/workspace_status as macros where the build is stamped.
namespace distill {

extern const char kBuildCommit[];

#ifdef STABLE_COMMIT
const char kBuildCommit[] = STABLE_COMMIT;
#else
const char kBuildCommit[] = "unknown";
#endif

}  // namespace distill
