#include "student_worker/training/verify_export.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/export/load_model.h"
#include "distillation/models/export/manifest.h"
#include "distillation/models/model.h"
#include "distillation/models/tensor_bridge.h"

namespace distill {

absl::Status VerifyExport(const Export& exported, const ModelDirectory& programs) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, LoadModel(exported, programs));
  const ExportCheck& check = exported.check;
  if (check.examples.dims.empty()) return absl::OkStatus();
  const at::NoGradGuard no_grad;
  ASSIGN_OR_RETURN(const at::Tensor examples, CopyToTensor(check.examples));
  ASSIGN_OR_RETURN(const at::Tensor outputs, model->Forward(examples));
  ASSIGN_OR_RETURN(const TensorView logits, CopyToView(outputs));
  // Examples are kept of the first of the ids.
  TensorView ids = check.ids;
  TensorView expected = check.logits;
  const int64_t kept = logits.dims[0];
  if (ids.type != ElementType::kInt64 || ids.elements() < kept ||
      expected.type != ElementType::kFloat32 || expected.dims.size() != 2 ||
      expected.dims[0] < kept) {
    return absl::DataLossError("the check of the export does not fit it; export the model again");
  }
  ids.dims = {kept};
  ids.bytes = ids.bytes.first(static_cast<size_t>(kept) * sizeof(int64_t));
  expected.dims[0] = kept;
  expected.bytes =
      expected.bytes.first(static_cast<size_t>(kept * expected.dims[1]) * sizeof(float));
  return CheckLogits(ids, expected, logits, kExportTolerance);
}

}  // namespace distill
