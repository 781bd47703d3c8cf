// A small label set for the tests of this room.
#ifndef DISTILLATION_LABEL_SETS_LABEL_SET_FOR_TEST_H_
#define DISTILLATION_LABEL_SETS_LABEL_SET_FOR_TEST_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "distillation/label_sets/identity.h"
#include "distillation/labels/codec.h"

namespace distill {

// 75 examples of 3 classes in two views: 150 rows in 19 blocks of 8, in 5 parts of 4.
LabelSetIdentity SmallIdentity();

// The labels of a row: finite, exact in a half, and no two rows alike.
std::vector<float> TrueRow(uint64_t row);

// The block with its true labels; crashes for a codec that is unknown.
EncodedLabels TrueBlock(const LabelSetIdentity& identity, uint64_t block);

// Adds every missing block and finishes; the first error.
absl::Status FillAll(FileSystem* files, const std::string& directory,
                     const LabelSetIdentity& identity);

// Every file in a directory, by name.
std::map<std::string, std::string> FilesIn(FileSystem& files, const std::string& directory);

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_LABEL_SET_FOR_TEST_H_
