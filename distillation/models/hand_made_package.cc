// What AOTInductor would compile, written by hand for tests: the interface that a package's shared
// library has, for a model of three features and two classes,
//   scores[n][c] = (c + 1) * (x[n][0] + 10 x[n][1] + 100 x[n][2]),   doubled = 2 * scores.
// Built here like everything else, it runs on every machine that runs the tests, and takes no
// Python.
#include <stdlib.h>
#include <torch/csrc/inductor/aoti_runtime/interface.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace {

constexpr int64_t kFeatures = 3;
constexpr int64_t kClasses = 2;

// What Inductor's code does when it is asked to; a batch of any size has two examples at least.
bool TakesInput(AtenTensorHandle input) {
  int64_t dims = 0;
  int64_t rows = 0;
  int64_t features = 0;
  return aoti_torch_get_dim(input, &dims) == AOTI_TORCH_SUCCESS && dims == 2 &&
         aoti_torch_get_size(input, 0, &rows) == AOTI_TORCH_SUCCESS && rows >= 2 &&
         aoti_torch_get_size(input, 1, &features) == AOTI_TORCH_SUCCESS && features == kFeatures;
}

AOTIRuntimeError WriteOutput(const float* x, int64_t rows, float factor, AtenTensorHandle* output) {
  const std::array<int64_t, 2> sizes = {rows, kClasses};
  const std::array<int64_t, 2> strides = {kClasses, 1};
  void* data = nullptr;
  if (aoti_torch_empty_strided(2, sizes.data(), strides.data(), aoti_torch_dtype_float32(),
                               aoti_torch_device_type_cpu(), 0, output) != AOTI_TORCH_SUCCESS ||
      aoti_torch_get_data_ptr(*output, &data) != AOTI_TORCH_SUCCESS) {
    return AOTI_RUNTIME_FAILURE;
  }
  auto* values = static_cast<float*>(data);
  for (int64_t n = 0; n < rows; ++n) {
    const float* row = x + n * kFeatures;
    for (int64_t c = 0; c < kClasses; ++c) {
      values[n * kClasses + c] =
          factor * static_cast<float>(c + 1) * (row[0] + 10 * row[1] + 100 * row[2]);
    }
  }
  return AOTI_RUNTIME_SUCCESS;
}

AOTIRuntimeError Run(AtenTensorHandle input, AtenTensorHandle* outputs, size_t num_outputs) {
  const char* checks = getenv("AOTI_RUNTIME_CHECK_INPUTS");
  if (checks != nullptr && checks[0] == '1' && !TakesInput(input)) return AOTI_RUNTIME_FAILURE;
  int64_t rows = 0;
  void* data = nullptr;
  if (aoti_torch_get_size(input, 0, &rows) != AOTI_TORCH_SUCCESS ||
      aoti_torch_get_data_ptr(input, &data) != AOTI_TORCH_SUCCESS || num_outputs != 2) {
    return AOTI_RUNTIME_FAILURE;
  }
  const auto* x = static_cast<const float*>(data);
  if (WriteOutput(x, rows, 1, &outputs[0]) != AOTI_RUNTIME_SUCCESS) return AOTI_RUNTIME_FAILURE;
  return WriteOutput(x, rows, 2, &outputs[1]);
}

}  // namespace

extern "C" {

AOTI_API AOTIRuntimeError AOTInductorModelContainerCreateWithDevice(
    AOTInductorModelContainerHandle* container, size_t, const char*, const char*) {
  static int model;
  *container = reinterpret_cast<AOTInductorModelContainerHandle>(&model);
  return AOTI_RUNTIME_SUCCESS;
}

AOTI_API AOTIRuntimeError AOTInductorModelContainerDelete(AOTInductorModelContainerHandle) {
  return AOTI_RUNTIME_SUCCESS;
}

AOTI_API AOTIRuntimeError AOTInductorModelContainerRun(AOTInductorModelContainerHandle,
                                                       AtenTensorHandle* inputs, size_t,
                                                       AtenTensorHandle* outputs,
                                                       size_t num_outputs, AOTInductorStreamHandle,
                                                       AOTIProxyExecutorHandle) {
  const AOTIRuntimeError result = Run(inputs[0], outputs, num_outputs);
  aoti_torch_delete_tensor_object(inputs[0]);  // it was given away
  return result;
}

AOTI_API AOTIRuntimeError AOTInductorModelContainerGetNumOutputs(AOTInductorModelContainerHandle,
                                                                 size_t* outputs) {
  *outputs = 2;
  return AOTI_RUNTIME_SUCCESS;
}

AOTI_API AOTIRuntimeError AOTInductorModelContainerGetNumConstants(AOTInductorModelContainerHandle,
                                                                   size_t* constants) {
  *constants = 0;
  return AOTI_RUNTIME_SUCCESS;
}

AOTI_API AOTIRuntimeError AOTInductorModelContainerGetCallSpec(AOTInductorModelContainerHandle,
                                                               const char** in, const char** out) {
  *in = "";
  *out = "";
  return AOTI_RUNTIME_SUCCESS;
}

// There are no constants to ask for or to change.
AOTI_API AOTIRuntimeError AOTInductorModelContainerGetConstantName(AOTInductorModelContainerHandle,
                                                                   size_t, const char**) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError AOTInductorModelContainerGetConstantOriginalFQN(
    AOTInductorModelContainerHandle, size_t, const char**) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError AOTInductorModelContainerGetConstantDtype(AOTInductorModelContainerHandle,
                                                                    size_t, int32_t*) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError AOTInductorModelContainerUpdateConstantBuffer(
    AOTInductorModelContainerHandle, AOTInductorConstantMapHandle, bool, bool) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError AOTInductorModelContainerUpdateInactiveConstantBuffer(
    AOTInductorModelContainerHandle, AOTInductorConstantMapHandle) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError AOTInductorModelContainerRunConstantFolding(
    AOTInductorModelContainerHandle, bool, AOTInductorStreamHandle, AOTIProxyExecutorHandle) {
  return AOTI_RUNTIME_FAILURE;
}
AOTI_API AOTIRuntimeError
AOTInductorModelContainerSwapConstantBuffer(AOTInductorModelContainerHandle) {
  return AOTI_RUNTIME_FAILURE;
}

}  // extern "C"
