// Numbers and texts in the byte order of our files: little-endian, whatever the machine.
#ifndef COMMON_BYTES_LITTLE_ENDIAN_H_
#define COMMON_BYTES_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace distill {

// Adds to a string that it builds. Thread-compatible.
class ByteWriter {
 public:
  void U32(uint32_t value);
  void U64(uint64_t value);
  // As they are, without their number.
  void Bytes(std::string_view bytes) { bytes_.append(bytes); }
  // u32 length, then the bytes. Longer than 2^32 - 1 is the caller's mistake.
  void Text(std::string_view text);

  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a ByteWriter wrote. Past the end everything is zero or empty and ok() is
// false from then on, so that a whole record is read first and judged once. Views point
// into the bytes given. Thread-compatible.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  uint32_t U32() { return static_cast<uint32_t>(Number(4)); }
  uint64_t U64() { return Number(8); }
  std::string_view Bytes(size_t length);
  std::string_view Text() { return Bytes(U32()); }

  bool ok() const { return ok_; }
  // Bytes not read yet.
  size_t left() const { return left_.size(); }

 private:
  uint64_t Number(size_t length);

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace distill

#endif  // COMMON_BYTES_LITTLE_ENDIAN_H_
