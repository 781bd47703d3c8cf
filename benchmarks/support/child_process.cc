#include "benchmarks/support/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <utility>

#include "absl/status/status.h"

namespace distill {

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& arguments) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "a pipe to the benchmark's child");
  }
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  child->input_ = input[1];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::vector<std::string> all = {"benchmark-child"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int failed =
      posix_spawn(&child->pid_, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  FILE* lines = fdopen(output[0], "r");
  if (failed != 0) {
    child->pid_ = 0;
    fclose(lines);
    return absl::ErrnoToStatus(failed, "starting the benchmark's child");
  }
  for (int c = fgetc(lines); c != EOF && c != '\n'; c = fgetc(lines)) {
    child->first_line_.push_back(static_cast<char>(c));
  }
  fclose(lines);
  if (child->first_line_.empty()) {
    return absl::UnavailableError("the benchmark's child ended before it served");
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (input_ >= 0) close(input_);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

void ChildProcess::ServeUntilParentEnds(const std::string& first_line) {
  std::cout << first_line << std::endl;
  while (std::cin.get() != EOF) {
  }
}

}  // namespace distill
