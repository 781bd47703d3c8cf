#include "coordinator/store/memory_store.h"

#include "coordinator/store/conformance_suite.h"

namespace distill {
namespace {

class MemoryMedium : public StoreMedium {
 public:
  absl::StatusOr<std::unique_ptr<Store>> Open() override {
    return std::make_unique<MemoryStore>(disk_);
  }

 private:
  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformanceTest,
                         ::testing::Values([]() -> std::unique_ptr<StoreMedium> {
                           return std::make_unique<MemoryMedium>();
                         }));

}  // namespace
}  // namespace distill
