#include "distillation/models/package_model.h"

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <stdlib.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/models/program_model.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

constexpr char kChecks[] = "AOTI_RUNTIME_CHECK_INPUTS";

using Loader = torch::inductor::AOTIModelPackageLoader;

// Constructing two loaders at once is not safe in LibTorch.
ABSL_CONST_INIT absl::Mutex loading(absl::kConstInit);

class PackageModel final : public ProgramModel {
 public:
  PackageModel(v1::ModelConfig config, std::span<const int64_t> example_dims, int64_t classes,
               std::unique_ptr<Loader> loader)
      : ProgramModel(std::move(config), example_dims, classes), loader_(std::move(loader)) {}

  // It was compiled for evaluation.
  void SetTraining(bool training) override { training_ = training; }
  bool training() const override { return training_; }

  absl::Status MoveTo(int index) override {
    if (index < 0) return absl::OkStatus();
    return absl::UnimplementedError(
        absl::StrCat(Name(), " was compiled for the host and cannot be moved to an accelerator"));
  }

 private:
  absl::StatusOr<std::vector<at::Tensor>> Run(const at::Tensor& x) override {
    std::vector<at::Tensor> outputs;
    RETURN_IF_ERROR(CallTorch(Name(), [&] {
      const c10::InferenceMode inference;
      // What torch.export makes of a dynamic batch takes two examples at least.
      std::vector<int64_t> two = x.sizes().vec();
      two[0] = 2;
      const bool alone = x.size(0) == 1;
      outputs = loader_->run({alone ? x.expand(two).contiguous() : x});
      for (at::Tensor& output : outputs) {
        if (alone && output.dim() > 0 && output.size(0) == 2) output = output.slice(0, 0, 1);
      }
    }));
    return InOrder(std::move(outputs));
  }

  const std::unique_ptr<Loader> loader_;
  bool training_ = true;
};

absl::StatusOr<std::string> MakeFolder(const std::string& name) {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  std::string folder = (place / "distill_model_XXXXXX").string();
  if (!error && mkdtemp(folder.data()) != nullptr) return folder;
  const std::string why = error ? error.message() : std::system_category().message(errno);
  const char* set = getenv("TMPDIR");
  return absl::FailedPreconditionError(
      absl::StrCat(name, ": no temporary folder can be made for it: ", why, "; TMPDIR is ",
                   set == nullptr ? "not set" : absl::StrCat("'", set, "'"),
                   ": set it to a folder that this process may write to"));
}

// The loader reads a file. Nobody else may write to this one, which holds what was checked; the
// loader has unpacked it when it returns.
absl::StatusOr<std::unique_ptr<Loader>> MakeLoader(const std::string& name,
                                                   const std::string& bytes) {
  const char* checks = getenv(kChecks);
  if (checks == nullptr || std::string_view(checks) != "1") {
    return absl::InternalError(absl::StrCat(
        name, ": ", kChecks, " is not 1 in this process, and a package that does not check its ",
        "inputs is not run; a bug: main has to call CheckPackageInputs"));
  }
  ASSIGN_OR_RETURN(const std::string folder, MakeFolder(name));
  const absl::Cleanup remove = [&] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  const std::string path = folder + "/model.pt2";
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) {
    return WithErrorId(absl::ResourceExhaustedError(absl::StrCat(name, ": cannot be written to ",
                                                                 path, "; is the disk full?")),
                       ErrorId::kDiskFull);
  }
  std::unique_ptr<Loader> loader;
  absl::MutexLock lock(&loading);
  RETURN_IF_ERROR(
      BlameFile(CallTorch(name, [&] { loader = std::make_unique<Loader>(path); }),
                absl::StatusCode::kFailedPrecondition,
                "aot_inductor takes what torch._inductor.aoti_compile_and_package wrote for this "
                "kind of machine (docs/models.md)"));
  return loader;
}

}  // namespace

void CheckPackageInputs() { setenv(kChecks, "1", /*overwrite=*/1); }

absl::StatusOr<std::unique_ptr<Model>> LoadPackageModel(const v1::ModelConfig& config,
                                                        std::span<const int64_t> example_dims,
                                                        int64_t classes, Program program) {
  v1::ModelConfig loaded = config;
  loaded.mutable_aot_inductor()->set_sha256(program.sha256);
  ASSIGN_OR_RETURN(
      std::unique_ptr<Loader> loader,
      MakeLoader(absl::StrCat("model file ", config.aot_inductor().file()), program.bytes));
  auto model =
      std::make_unique<PackageModel>(std::move(loaded), example_dims, classes, std::move(loader));
  RETURN_IF_ERROR(model->ShakeHands());
  return model;
}

}  // namespace distill
