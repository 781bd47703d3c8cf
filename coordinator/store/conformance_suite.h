// What every Store does. An implementation instantiates the suite with a medium:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformanceTest, ::testing::Values(...));
#ifndef COORDINATOR_STORE_CONFORMANCE_SUITE_H_
#define COORDINATOR_STORE_CONFORMANCE_SUITE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "coordinator/store/interface.h"

namespace distill {

// One place where records are kept; starts empty, outlives the stores.
class StoreMedium {
 public:
  virtual ~StoreMedium() = default;
  virtual absl::StatusOr<std::unique_ptr<Store>> Open() = 0;
};

class StoreConformanceTest
    : public ::testing::TestWithParam<std::function<std::unique_ptr<StoreMedium>()>> {};

}  // namespace distill

#endif  // COORDINATOR_STORE_CONFORMANCE_SUITE_H_
