// Whole numbers of a few bits each, one after the other: the lowest bit of the first number
// is the lowest bit of the first byte.
#ifndef DISTILLATION_LABELS_BIT_PACKING_H_
#define DISTILLATION_LABELS_BIT_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace distill {

// Bits that any number of [0, count) fits, at least 1. Crashes unless 1 <= count <= 2^31.
int BitsFor(int64_t count);

// Bytes of `count` numbers of `bits` bits each. Crashes unless 1 <= bits <= 31 and
// 0 <= count < 2^32.
uint64_t PackedBytes(int64_t count, int bits);

// Fills `bytes`, which has PackedBytes(numbers.size(), bits); what is left of the last byte
// is zero. Each number is in [0, 2^bits); crashes otherwise.
void PackBits(std::span<const int64_t> numbers, int bits, std::span<std::byte> bytes);

// The reverse: fills `numbers`. False when a bit that is left over is set.
bool UnpackBits(std::span<const std::byte> bytes, int bits, std::span<int64_t> numbers);

// The same of `rows` rows of as many numbers each, one after the other, each of whole bytes.
// Crashes unless `rows` divides the numbers and the bytes are theirs. Both have a second way
// for processors with AVX2, chosen when the process runs.
bool UnpackRows(std::span<const std::byte> bytes, int bits, size_t rows,
                std::span<int64_t> numbers);

// The same without the processor's help: for tests, and for other processors.
bool UnpackRowsPortably(std::span<const std::byte> bytes, int bits, size_t rows,
                        std::span<int64_t> numbers);

}  // namespace distill

#endif  // DISTILLATION_LABELS_BIT_PACKING_H_
