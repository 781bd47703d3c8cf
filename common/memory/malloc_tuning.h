// How malloc treats the buffers of labels, which come and go all the time.
#ifndef COMMON_MEMORY_MALLOC_TUNING_H_
#define COMMON_MEMORY_MALLOC_TUNING_H_

namespace distill {

// Memory that was freed is used again instead of being returned to the kernel and asked
// for anew, a page fault for every 4 KiB: blocks up to 32 MiB come from the heap, which
// keeps up to 256 MiB of free memory at its end and grows by 8 MiB. Call it first in
// main(): it holds for what is allocated afterwards. Figures:
// docs/decisions/0010-freed-memory-stays-in-the-process.md.
void KeepFreedMemory();

}  // namespace distill

#endif  // COMMON_MEMORY_MALLOC_TUNING_H_
