// Finds the codec of soft labels by its name, which is what a configuration, a negotiated
// stream and a section of an answer hold.
//
//   dense_fp32, dense_fp16, dense_bf16, log_prob_u8[/R]   dense_codecs.h
#ifndef DISTILLATION_LABELS_CODEC_H_
#define DISTILLATION_LABELS_CODEC_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "distillation/labels/label_codec.h"

namespace distill {

// The codec of that name; hold it while you use it, but those of DenseCodecNames() live
// forever. UNIMPLEMENTED says what is wrong with the name and lists the known ones.
absl::StatusOr<std::shared_ptr<const LabelCodec>> FindCodec(std::string_view name);

// Names of all codecs, without their numbers.
std::vector<std::string> CodecNames();

// Names of the codecs whose Decode gives a value for each class.
std::vector<std::string> DenseCodecNames();

// The first of `preferences` that is `supported`. FAILED_PRECONDITION lists both sides
// when there is none: the student's codecs have to be configured anew.
absl::StatusOr<std::string> Negotiate(std::span<const std::string> preferences,
                                      std::span<const std::string> supported);

}  // namespace distill

#endif  // DISTILLATION_LABELS_CODEC_H_
