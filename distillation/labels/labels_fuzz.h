// The fuzz target of label decoding. libFuzzer calls it from its own main:
//
//   bazel --output_base=DIR build --config=clang --config=fuzzer
//   //distillation/labels:labels_fuzzer out/bin/distillation/labels/labels_fuzzer
//   -max_total_time=60
//
// labels_fuzz_test drives it over seeded mutations of real labels in every run of the suite.
#ifndef DISTILLATION_LABELS_LABELS_FUZZ_H_
#define DISTILLATION_LABELS_LABELS_FUZZ_H_

#include <cstddef>
#include <cstdint>

// Reads an input as
//   byte 0    which codec, of a fixed list
//   byte 1    rows
//   byte 2-5  classes
//   byte 6    bytes of parameters, which follow
//   the rest  the payload
// and decodes it. Crashes when what comes back breaks a promise: values that are not finite,
// ids that are no classes, more memory than 16 bytes for each bit received. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // DISTILLATION_LABELS_LABELS_FUZZ_H_
