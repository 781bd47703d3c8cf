#include "teacher_server/cache/label_key.h"

#include "absl/strings/escaping.h"
#include "common/bytes/little_endian.h"
#include "common/digest/sha256.h"

namespace distill {

LabelScope ScopeOf(std::string_view fingerprint, std::string_view numerics_class,
                   std::string_view output, std::string_view data_set_digest, v1::Split split,
                   std::string_view view_spec_digest) {
  ByteWriter parts;
  parts.Text(fingerprint);
  parts.Text(numerics_class);
  parts.Text(output);
  parts.Text(data_set_digest);
  parts.U32(static_cast<uint32_t>(split));
  parts.Text(view_spec_digest);
  const std::string digest = absl::HexStringToBytes(Sha256Hex(parts.bytes()));
  ByteReader reader(digest);
  const uint64_t first = reader.U64();
  return {first, reader.U64()};
}

}  // namespace distill
