// SHA-256 (FIPS 180-4), which names configurations, teachers and data by content.
#ifndef COMMON_DIGEST_SHA256_H_
#define COMMON_DIGEST_SHA256_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace distill {

// For input that comes in parts. Thread-compatible.
//
//   Sha256 digest;
//   while (...) digest.Update(part);
//   const std::string hex = digest.FinishHex();
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  void Update(std::span<const std::byte> bytes);

  // 64 lower-case hex digits of all bytes so far; then starts again from nothing.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Hex(std::string_view bytes);

}  // namespace distill

#endif  // COMMON_DIGEST_SHA256_H_
