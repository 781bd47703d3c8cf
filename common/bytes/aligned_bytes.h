// Memory for tensors.
#ifndef COMMON_BYTES_ALIGNED_BYTES_H_
#define COMMON_BYTES_ALIGNED_BYTES_H_

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace distill {

inline constexpr size_t kPayloadAlignment = 64;

// Owned bytes whose start is a multiple of kPayloadAlignment; null when empty.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);  // Uninitialised.

  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
};

}  // namespace distill

#endif  // COMMON_BYTES_ALIGNED_BYTES_H_
