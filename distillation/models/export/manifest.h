// manifest.json of an exported model, and what ties it to the weights beside it.
// All functions are pure and thread-safe.
#ifndef DISTILLATION_MODELS_EXPORT_MANIFEST_H_
#define DISTILLATION_MODELS_EXPORT_MANIFEST_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/checkpoint.pb.h"

namespace distill {

inline constexpr char kExportManifestFile[] = "manifest.json";
inline constexpr char kExportWeightsFile[] = "weights.safetensors";
inline constexpr char kExportCheckFile[] = "check.safetensors";
inline constexpr char kExportProgramFile[] = "model.pt";
inline constexpr uint32_t kExportFormatVersion = 1;

// SHA-256 (hex) over names, element types, shapes and bytes in the order of names:
// equal exactly where two models are bit for bit the same, whatever file holds them.
std::string ModelDigest(const std::map<std::string, TensorView>& tensors);

// SHA-256 (hex) over what decides a model's outputs: architecture or program, shape of the
// examples, preprocessing, classes with their names, and weights_sha256. Run, step
// and seed do not enter, nor does where a program lies.
std::string ExportFingerprint(const v1::ExportManifest& manifest);

// Fills in format_version, file names, weights_sha256, fingerprint and, of an architecture,
// parameters and multiply_adds from the rest and the bytes of the weights file. INVALID_ARGUMENT
// for a model that cannot be.
absl::Status CompleteManifest(std::string_view weights_file_bytes, v1::ExportManifest& manifest);

// Indented JSON.
absl::StatusOr<std::string> PrintManifest(const v1::ExportManifest& manifest);

// Reads a manifest and holds it to itself. INVALID_ARGUMENT for text that is no
// manifest; FAILED_PRECONDITION for an unknown format version; DATA_LOSS where
// fingerprint or counts are not those of the fields: export the model again.
absl::StatusOr<v1::ExportManifest> ParseManifest(std::string_view text);

// DATA_LOSS unless the weights file is the one the manifest was written with.
absl::Status CheckWeightsFile(const v1::ExportManifest& manifest, std::string_view bytes);

// DATA_LOSS, naming the tensor, unless exactly the tensors of the model's architecture are there,
// each float32 and of its shape.
absl::Status CheckTensors(const v1::ExportManifest& manifest,
                          const std::map<std::string, TensorView>& tensors);

// Whether a model fits a data set. FAILED_PRECONDITION, naming both sides, where
// the number of classes or the shape of the examples differs.
absl::Status CheckFits(const v1::ExportManifest& manifest, int64_t classes,
                       std::span<const int64_t> example_dims);

// Largest difference to a logit recorded at export, times max(1, |logit|): another process rounds
// otherwise.
inline constexpr double kExportTolerance = 1e-4;

// Compares logits [n, classes], float32, with those of the exporting process.
// DATA_LOSS, naming the worst example, where one differs by more than
// tolerance * max(1, |expected|) or is not finite; INVALID_ARGUMENT for shapes
// that differ. `ids` int64 [n].
absl::Status CheckLogits(const TensorView& ids, const TensorView& expected,
                         const TensorView& actual, double tolerance);

}  // namespace distill

#endif  // DISTILLATION_MODELS_EXPORT_MANIFEST_H_
