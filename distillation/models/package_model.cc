#include "distillation/models/package_model.h"

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <stdlib.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/const_init.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status_macros.h"
#include "distillation/models/program_model.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

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

// The loader reads a file. Nobody else may write to this one, which holds what was checked; the
// loader has unpacked it when it returns.
absl::StatusOr<std::unique_ptr<Loader>> MakeLoader(const std::string& name,
                                                   const std::string& bytes) {
  std::string folder = (std::filesystem::temp_directory_path() / "distill_model_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError(
        absl::StrCat(name, ": no temporary folder ", folder, " can be made; is TMPDIR writable?"));
  }
  const absl::Cleanup remove = [&] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  const std::string path = folder + "/model.pt2";
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, ": cannot be written to ", path, "; is the disk full?"));
  }
  std::unique_ptr<Loader> loader;
  absl::MutexLock lock(&loading);
  // A package looks at the shapes it is given only when asked to, and computes from what lies
  // behind a smaller input otherwise.
  setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", /*overwrite=*/1);
  const absl::Status status = CallTorch(name, [&] { loader = std::make_unique<Loader>(path); });
  if (status.ok()) return loader;
  return absl::FailedPreconditionError(
      absl::StrCat(status.message(), "; aot_inductor takes what torch._inductor.",
                   "aoti_compile_and_package wrote for this kind of machine (docs/models.md)"));
}

}  // namespace

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
