// Of a build that is not stamped: a commit would discard its cached results.
namespace distill {

extern const char kBuildCommit[];
const char kBuildCommit[] = "unknown";

}  // namespace distill
