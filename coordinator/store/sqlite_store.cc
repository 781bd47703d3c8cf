#include "coordinator/store/sqlite_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/store/record_checksum.h"

namespace distill {
namespace {

constexpr int64_t kApplicationId = 0x44495354;  // "DIST"
constexpr int64_t kVersion = 1;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

absl::StatusCode CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_NOTADB:
      return absl::StatusCode::kInvalidArgument;
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kNotFound;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status ErrorOf(int result, const std::string& message) {
  absl::Status status(CodeOf(result), message);
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
      return WithErrorId(std::move(status), ErrorId::kJournalDamaged);
    case SQLITE_NOTADB:
      return WithErrorId(std::move(status), ErrorId::kJournalOfAnotherVersion);
    case SQLITE_FULL:
      return WithErrorId(std::move(status), ErrorId::kDiskFull);
    default:
      return status;
  }
}

class Statement {
 public:
  Statement(sqlite3* database, const std::string& sql) : database_(database) {
    result_ = sqlite3_prepare_v2(database, sql.c_str(), -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(int index, uint64_t value) {
    if (result_ == SQLITE_OK) {
      result_ = sqlite3_bind_int64(statement_, index, static_cast<sqlite3_int64>(value));
    }
    return *this;
  }
  // `value` must outlive the statement.
  Statement& Bind(int index, const std::string& value) {
    if (result_ == SQLITE_OK) {
      result_ = sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_STATIC);
    }
    return *this;
  }
  void Rewind() {
    sqlite3_reset(statement_);
    result_ = SQLITE_OK;
  }
  // True: there is a row. False: done.
  absl::StatusOr<bool> Step() {
    if (result_ == SQLITE_OK || result_ == SQLITE_ROW) result_ = sqlite3_step(statement_);
    if (result_ == SQLITE_ROW) return true;
    if (result_ == SQLITE_DONE) return false;
    return ErrorOf(result_, sqlite3_errmsg(database_));
  }
  uint64_t Number(int column) { return sqlite3_column_int64(statement_, column); }
  std::string Bytes(int column) {
    const void* data = sqlite3_column_blob(statement_, column);
    return std::string(static_cast<const char*>(data), sqlite3_column_bytes(statement_, column));
  }

 private:
  sqlite3* const database_;
  sqlite3_stmt* statement_ = nullptr;
  int result_;
};

class SqliteStore : public Store {
 public:
  SqliteStore(std::string path, Database database)
      : path_(std::move(path)), database_(std::move(database)) {}

  absl::Status Append(uint64_t first_sequence, const std::vector<std::string>& payloads) override {
    return Named(InTransaction([&]() -> absl::Status {
      ASSIGN_OR_RETURN(const uint64_t last, Last());
      if (first_sequence != last + 1) {
        return absl::FailedPreconditionError(
            absl::StrCat("record ", first_sequence, " does not follow ", last));
      }
      Statement insert(db(), "INSERT INTO records(sequence, payload, crc) VALUES(?, ?, ?)");
      uint64_t sequence = first_sequence;
      for (const std::string& payload : payloads) {
        insert.Rewind();
        insert.Bind(1, sequence).Bind(2, payload).Bind(3, RecordChecksum(sequence, payload));
        RETURN_IF_ERROR(insert.Step().status());
        ++sequence;
      }
      return absl::OkStatus();
    }));
  }

  absl::StatusOr<std::vector<StoredRecord>> ReadFrom(uint64_t first) override {
    std::vector<StoredRecord> records;
    Statement select(db(),
                     "SELECT sequence, payload, crc FROM records WHERE sequence >= ? "
                     "ORDER BY sequence");
    select.Bind(1, std::min(first, kMaxSequence));
    while (true) {
      absl::StatusOr<bool> row = select.Step();
      if (!row.ok()) return Named(row.status());
      if (!*row) return records;
      StoredRecord record{select.Number(0), select.Bytes(1)};
      if (RecordChecksum(record.sequence, record.payload) != select.Number(2)) {
        return Named(WithErrorId(absl::DataLossError(absl::StrCat("record ", record.sequence,
                                                                  " does not match its checksum")),
                                 ErrorId::kJournalDamaged));
      }
      if (!records.empty() && record.sequence != records.back().sequence + 1) {
        return Named(WithErrorId(absl::DataLossError(absl::StrCat(
                                     "record ", records.back().sequence + 1, " is missing")),
                                 ErrorId::kJournalDamaged));
      }
      records.push_back(std::move(record));
    }
  }

  absl::StatusOr<uint64_t> LastSequence() override {
    absl::StatusOr<uint64_t> last = Last();
    if (!last.ok()) return Named(last.status());
    return last;
  }

  absl::Status PutSnapshot(const StoredSnapshot& snapshot) override {
    return Named(InTransaction([&]() -> absl::Status {
      ASSIGN_OR_RETURN(const uint64_t former, SnapshotSequence());
      ASSIGN_OR_RETURN(const uint64_t last, Last());
      if (snapshot.last_sequence < former || snapshot.last_sequence > last) {
        return absl::FailedPreconditionError(
            absl::StrCat("a snapshot of record ", snapshot.last_sequence, " must lie between ",
                         former, " and ", last));
      }
      Statement replace(db(),
                        "INSERT OR REPLACE INTO snapshot(id, last_sequence, payload, crc) "
                        "VALUES(1, ?, ?, ?)");
      replace.Bind(1, snapshot.last_sequence).Bind(2, snapshot.payload);
      replace.Bind(3, RecordChecksum(snapshot.last_sequence, snapshot.payload));
      return replace.Step().status();
    }));
  }

  absl::StatusOr<std::optional<StoredSnapshot>> GetSnapshot() override {
    Statement select(db(), "SELECT last_sequence, payload, crc FROM snapshot WHERE id = 1");
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return Named(row.status());
    if (!*row) return std::optional<StoredSnapshot>();
    StoredSnapshot snapshot{select.Number(0), select.Bytes(1)};
    if (RecordChecksum(snapshot.last_sequence, snapshot.payload) != select.Number(2)) {
      return Named(WithErrorId(absl::DataLossError("the snapshot does not match its checksum"),
                               ErrorId::kJournalDamaged));
    }
    return std::make_optional(std::move(snapshot));
  }

  absl::Status TruncateBefore(uint64_t first_kept) override {
    return Named(InTransaction([&]() -> absl::Status {
      ASSIGN_OR_RETURN(const uint64_t in_snapshot, SnapshotSequence());
      if (first_kept > in_snapshot + 1) {
        return absl::FailedPreconditionError(
            absl::StrCat("records before ", first_kept,
                         " are not all in the snapshot, which ends at ", in_snapshot));
      }
      return Statement(db(), "DELETE FROM records WHERE sequence < ?")
          .Bind(1, first_kept)
          .Step()
          .status();
    }));
  }

  // Locks the file, checks what it is, creates the tables of an empty one.
  absl::Status Prepare() {
    // The lock first: only then may the file be looked at or changed.
    RETURN_IF_ERROR(Run("PRAGMA locking_mode = EXCLUSIVE"));
    RETURN_IF_ERROR(Run("BEGIN EXCLUSIVE"));
    RETURN_IF_ERROR(Run("COMMIT"));
    ASSIGN_OR_RETURN(const uint64_t application, Query("PRAGMA application_id"));
    ASSIGN_OR_RETURN(const uint64_t version, Query("PRAGMA user_version"));
    ASSIGN_OR_RETURN(const uint64_t tables, Query("SELECT COUNT(*) FROM sqlite_master"));
    const bool empty = application == 0 && version == 0 && tables == 0;
    if (!empty && application != kApplicationId) {
      return WithErrorId(
          absl::InvalidArgumentError(
              "a SQLite file of something else, not a coordinator's journal: name another file"),
          ErrorId::kJournalOfAnotherVersion);
    }
    if (!empty && version != kVersion) {
      return WithErrorId(
          absl::InvalidArgumentError(absl::StrCat("a journal of format ", version,
                                                  "; this build reads format ", kVersion)),
          ErrorId::kJournalOfAnotherVersion);
    }
    RETURN_IF_ERROR(Run("PRAGMA journal_mode = WAL"));
    RETURN_IF_ERROR(Run("PRAGMA synchronous = FULL"));
    if (!empty) return absl::OkStatus();
    return InTransaction([this]() -> absl::Status {
      RETURN_IF_ERROR(
          Run("CREATE TABLE records(sequence INTEGER PRIMARY KEY, "
              "payload BLOB NOT NULL, crc INTEGER NOT NULL)"));
      RETURN_IF_ERROR(
          Run("CREATE TABLE snapshot(id INTEGER PRIMARY KEY CHECK(id = 1), "
              "last_sequence INTEGER NOT NULL, payload BLOB NOT NULL, "
              "crc INTEGER NOT NULL)"));
      RETURN_IF_ERROR(Run(absl::StrCat("PRAGMA application_id = ", kApplicationId)));
      return Run(absl::StrCat("PRAGMA user_version = ", kVersion));
    });
  }

 private:
  sqlite3* db() { return database_.get(); }

  absl::Status Named(const absl::Status& status) const {
    return Annotate(status, absl::StrCat("journal ", path_));
  }

  absl::Status Run(const std::string& sql) {
    Statement statement(db(), sql);
    absl::StatusOr<bool> row = true;
    while (row.ok() && *row) row = statement.Step();
    return row.status();
  }

  // The number in the first row; 0 when there is none or it is NULL.
  absl::StatusOr<uint64_t> Query(const std::string& sql) {
    Statement statement(db(), sql);
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    return row ? statement.Number(0) : 0;
  }

  absl::StatusOr<uint64_t> SnapshotSequence() {
    return Query("SELECT last_sequence FROM snapshot WHERE id = 1");
  }

  absl::StatusOr<uint64_t> Last() {
    ASSIGN_OR_RETURN(const uint64_t record, Query("SELECT MAX(sequence) FROM records"));
    ASSIGN_OR_RETURN(const uint64_t snapshot, SnapshotSequence());
    return std::max(record, snapshot);
  }

  template <typename Body>
  absl::Status InTransaction(Body body) {
    RETURN_IF_ERROR(Run("BEGIN IMMEDIATE"));
    absl::Status status = body();
    if (status.ok()) status = Run("COMMIT");
    // A failed COMMIT may have closed the transaction itself.
    if (!status.ok() && !sqlite3_get_autocommit(db())) (void)Run("ROLLBACK");
    return status;
  }

  const std::string path_;
  const Database database_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (result != SQLITE_OK) {
    return ErrorOf(result, absl::StrCat("journal ", path, ": ", sqlite3_errstr(result),
                                        ": the folder must exist and be writable"));
  }
  sqlite3_extended_result_codes(raw, 1);
  auto store = std::make_unique<SqliteStore>(path, std::move(database));
  if (absl::Status status = store->Prepare(); !status.ok()) {
    if (absl::IsFailedPrecondition(status)) {
      status = WithErrorId(
          Reworded(status, status.code(), "another coordinator has it open: stop that one first"),
          ErrorId::kJournalInUse);
    }
    return Annotate(status, absl::StrCat("journal ", path));
  }
  return store;
}

}  // namespace distill
