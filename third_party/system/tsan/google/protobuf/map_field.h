#ifndef THIRD_PARTY_SYSTEM_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_
#define THIRD_PARTY_SYSTEM_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_

// Found before protobuf's header of this name under --config=tsan only. Told that
// TSan is on, that one adds two fields to MapFieldBase, which Debian's libprotobuf
// was built without: it then reads a map field's lock and pointers beside theirs.

#include <atomic>  // The standard library shall see TSan: it decides at its first header.

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>  // IWYU pragma: export
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // THIRD_PARTY_SYSTEM_TSAN_GOOGLE_PROTOBUF_MAP_FIELD_H_
