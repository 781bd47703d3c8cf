#include "common/digest/sha256.h"

#include <openssl/evp.h>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/escaping.h"

namespace distill {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }

  // OpenSSL fails here only without memory, or in a FIPS build without SHA-256.
  void Start() {
    ABSL_RAW_CHECK(evp != nullptr && EVP_DigestInit_ex(evp, EVP_sha256(), nullptr) == 1,
                   "OpenSSL offers no SHA-256");
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { context_->Start(); }

Sha256::~Sha256() = default;

void Sha256::Update(std::string_view bytes) {
  ABSL_RAW_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1,
                 "SHA-256 update failed");
}

void Sha256::Update(std::span<const std::byte> bytes) {
  Update(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string Sha256::FinishHex() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  ABSL_RAW_CHECK(EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(digest.data()),
                                    &size) == 1,
                 "SHA-256 failed at its end");
  digest.resize(size);
  context_->Start();
  return absl::BytesToHexString(digest);
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.FinishHex();
}

}  // namespace distill
