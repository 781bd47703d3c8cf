// Finds the codec of soft labels by its name, which is what a configuration, a negotiated
// stream and a section of an answer hold.
//
//   dense_fp32, dense_fp16, dense_bf16, log_prob_u8[/R]   dense_codecs.h
//   hidden_fp32, hidden_fp16, hidden_bf16                 hidden_codecs.h
//   top_k[/k[/nodes]], scores_at_ids/n[/nodes]            head_tail_codec.h
//   sampled[/N]                                           sampled_codec.h
//
// Numbers are whole, without sign or leading zeros. docs/codecs.md says which one to take.
#ifndef DISTILLATION_LABELS_CODEC_H_
#define DISTILLATION_LABELS_CODEC_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "distillation/labels/label_codec.h"

namespace distill {

// What encoders may be told beside the name. Decoders need none of it: what they have to
// know is in the parameters.
struct CodecOptions {
  // top_k and scores_at_ids: the temperatures of the run (Open in proto/teacher.proto).
  double min_temperature = 1;
  double max_temperature = 8;
  // sampled: draws are a function of it and of the row's key.
  uint64_t seed = 0;
};

// The codec of that name; hold it while you use it, but those of DenseCodecNames() and the
// hidden ones live forever. UNIMPLEMENTED says what is wrong with the name and lists the known
// ones; INVALID_ARGUMENT says which option the codec cannot serve.
absl::StatusOr<std::shared_ptr<const LabelCodec>> FindCodec(std::string_view name,
                                                            const CodecOptions& options = {});

// Names of all codecs; sparse ones without their numbers.
std::vector<std::string> CodecNames();

// Names of the codecs whose Decode gives a value for each class (label_codec.h).
std::vector<std::string> DenseCodecNames();

// Whether the codec of that name carries hidden states: who takes them needs the teacher's head.
bool IsHiddenCodec(std::string_view name);

// Names of the codecs that a run may name and a teacher server offers, sparse ones without
// their numbers: all but scores_at_ids, since an ask carries no ids of classes.
std::vector<std::string> ServedCodecNames();

// Whether `name` is one of `supported`, or one of their families with numbers that FindCodec
// takes: top_k/8 where top_k is supported.
bool IsSupportedCodec(std::string_view name, std::span<const std::string> supported);

// The codec of that name for a run whose temperature stays within [low, high], 0 and 0 where
// the run has none to say. INVALID_ARGUMENT, with what to do, where a sparse codec cannot serve
// them: top_k beyond its bounds (head_tail_codec.h), sampled at any other than 1. Otherwise
// as FindCodec.
absl::StatusOr<std::shared_ptr<const LabelCodec>> FindCodecForRun(std::string_view name, double low,
                                                                  double high);

// The first of `preferences` that IsSupportedCodec. FAILED_PRECONDITION lists both sides
// when there is none: the student's codecs have to be configured anew.
absl::StatusOr<std::string> Negotiate(std::span<const std::string> preferences,
                                      std::span<const std::string> supported);

}  // namespace distill

#endif  // DISTILLATION_LABELS_CODEC_H_
