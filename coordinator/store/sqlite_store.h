// The store of one machine: a SQLite file in WAL mode, synced at each commit.
//
// Format (application id "DIST", user version 1):
//   records(sequence PRIMARY KEY, payload, crc)   crc: RecordChecksum
//   snapshot(id = 1, last_sequence, payload, crc)
// The file is held exclusively, so a second coordinator is refused at Open and no
// shared-memory file is used. Not for network file systems.
#ifndef COORDINATOR_STORE_SQLITE_STORE_H_
#define COORDINATOR_STORE_SQLITE_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/store/interface.h"

namespace distill {

// Creates the file if it is missing (its folder must exist). Codes:
//   FAILED_PRECONDITION  another process has it open: stop that one first
//   INVALID_ARGUMENT     not a journal of the coordinator, or of a newer version
//   DATA_LOSS            damaged: restore the file from a copy
//   NOT_FOUND            the folder is missing or not writable
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

}  // namespace distill

#endif  // COORDINATOR_STORE_SQLITE_STORE_H_
