#include "coordinator/store/sqlite_store.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/status/error_catalogue.h"
#include "common/status/error_id.h"
#include "coordinator/store/conformance_suite.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SqliteMedium : public StoreMedium {
 public:
  SqliteMedium() {
    std::string name = ::testing::TempDir() + "/journal-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~SqliteMedium() override { fs::remove_all(folder_); }
  absl::StatusOr<std::unique_ptr<Store>> Open() override { return OpenSqliteStore(path()); }
  std::string path() const { return folder_ + "/journal.sqlite"; }
  const std::string& folder() const { return folder_; }

  // Changes the file behind the store's back.
  void Execute(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

 private:
  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformanceTest,
                         ::testing::Values([]() -> std::unique_ptr<StoreMedium> {
                           return std::make_unique<SqliteMedium>();
                         }));

void Fill(SqliteMedium& medium) {
  auto store = *medium.Open();
  ASSERT_TRUE(store->Append(1, {"one", "two", "three"}).ok());
  ASSERT_TRUE(store->PutSnapshot({1, "snapshot"}).ok());
}

TEST(SqliteStore, AFlippedBitInARecordIsFoundAndTheRecordNamed) {
  SqliteMedium medium;
  Fill(medium);
  medium.Execute("UPDATE records SET payload = CAST('twn' AS BLOB) WHERE sequence = 2");
  auto store = *medium.Open();
  const absl::Status status = store->ReadFrom(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("record 2"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(medium.path()));
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalDamaged);
  EXPECT_TRUE(store->ReadFrom(3).ok());
}

TEST(SqliteStore, ADamagedSnapshotIsFound) {
  SqliteMedium medium;
  Fill(medium);
  medium.Execute("UPDATE snapshot SET last_sequence = 2");
  const absl::Status status = (*medium.Open())->GetSnapshot().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalDamaged);
}

TEST(SqliteStore, AMissingRecordIsFound) {
  SqliteMedium medium;
  Fill(medium);
  medium.Execute("DELETE FROM records WHERE sequence = 2");
  const absl::Status status = (*medium.Open())->ReadFrom(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalDamaged);
}

TEST(SqliteStore, AFileOfSomethingElseIsRefusedAndLeftAsItWas) {
  SqliteMedium medium;
  std::ofstream(medium.path()) << std::string(5000, 'x');
  const absl::Status status = medium.Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalOfAnotherVersion);
  EXPECT_EQ(fs::file_size(medium.path()), 5000u);
  SqliteMedium other;
  other.Execute("CREATE TABLE mine(x)");
  EXPECT_EQ(other.Open().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorIdOf(other.Open().status()), ErrorId::kJournalOfAnotherVersion);
}

TEST(SqliteStore, ANewerFormatIsRefused) {
  SqliteMedium medium;
  Fill(medium);
  medium.Execute("PRAGMA user_version = 2");
  const absl::Status status = medium.Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("format 2"));
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalOfAnotherVersion);
}

TEST(SqliteStore, WhileOneHasItOpenASecondIsRefused) {
  SqliteMedium medium;
  auto first = *medium.Open();
  const absl::Status second = medium.Open().status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr("another coordinator has it open"));
  EXPECT_EQ(ErrorIdOf(second), ErrorId::kJournalInUse);
  first.reset();
  EXPECT_TRUE(medium.Open().ok());
}

TEST(SqliteStore, AMissingFolderIsNamed) {
  const absl::Status status = OpenSqliteStore("/nonexistent/journal.sqlite").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/journal.sqlite"));
}

// Power loss: the files as they lie, the write-ahead log cut anywhere. Groups are
// found whole or not at all.
TEST(SqliteStore, ATornLogGivesWholeGroupsUpToTheTear) {
  SqliteMedium live;
  auto store = *live.Open();
  for (uint64_t group = 0; group < 6; ++group) {
    ASSERT_TRUE(store->Append(2 * group + 1, {std::string(300, 'a'), std::string(300, 'b')}).ok());
  }
  const std::string log = live.path() + "-wal";
  const uintmax_t size = fs::file_size(log);
  ASSERT_GT(size, 10'000u);
  size_t most = 0;
  for (uintmax_t cut = 0; cut <= size; cut += 1'000) {
    SqliteMedium torn;
    fs::copy_file(live.path(), torn.path());
    fs::copy_file(log, torn.path() + "-wal");
    fs::resize_file(torn.path() + "-wal", cut);
    auto opened = torn.Open();
    ASSERT_TRUE(opened.ok()) << opened.status() << " cut at " << cut;
    const auto records = (*opened)->ReadFrom(1);
    ASSERT_TRUE(records.ok()) << records.status() << " cut at " << cut;
    EXPECT_EQ(records->size() % 2, 0u) << "cut at " << cut;
    EXPECT_GE(records->size(), most) << "cut at " << cut;
    most = records->size();
  }
  EXPECT_GE(most, 8u);
}

}  // namespace
}  // namespace distill
