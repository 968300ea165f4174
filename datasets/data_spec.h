// The DATA argument of every command: which kind of data, in which file. docs/data.md lists them.
#pragma once
#include <cstdint>
#include <string>

namespace octet {

enum class DataKind {
  kText,   ///< text:FILE or plain FILE: one text
  kJsonl,  ///< jsonl:FILE: a record a line with "text" or "messages"
  kChoice  ///< choice:FILE: a multiple-choice question a line
};

/// Parts of a data set that share no sample. Data that names no split itself takes that of its
/// role: training and calibration kTrain, choosing a checkpoint kValid, a reported score kTest.
enum class Split { kTrain, kValid, kTest, kAll };

struct DataSpec {
  DataKind kind = DataKind::kText;
  std::string path;
  bool gzip = false;  ///< the path ends in .gz
};

/// `KIND:FILE` or plain FILE. A plain FILE may not start with a kind ("word:"). Throws UsageError
/// for an unknown kind, naming the known ones, and for an empty file name.
DataSpec parse_data_spec(const std::string& argument);

/// The whole file as it is, decompressed if .gz. Throws Error if it cannot be read, is damaged,
/// holds more than `limit` bytes, or has nothing but NULs.
std::string read_bytes(const DataSpec& spec, uint64_t limit);

}  // namespace octet
