// The DATA argument of every command: which kinds of data, in which files. docs/data.md lists them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

enum class DataKind {
  kText,      ///< text:FILE or plain FILE: one text
  kJsonl,     ///< jsonl:FILE: a record a line with "text" or "messages"
  kChoice,    ///< choice:FILE: a multiple-choice question a line
  kParallel,  ///< parallel:SRC,TGT: sentence pairs, line by line
  kGettext,   ///< gettext:LANG[:DIR]: sentence pairs of message catalogues
  kIdx,       ///< idx:IMAGES,LABELS or idx:DIR: images as MNIST's files
  kImages     ///< images:DIR: a folder of JPEG and PNG files per class
};

/// The word before the colon, "text" for kText.
const char* kind_name(DataKind kind);

/// Disjoint parts of a data set. If DATA names no split, its role determines it: kTrain for
/// training and calibration, kValid for choosing a checkpoint, kTest for a reported score.
enum class Split { kTrain, kValid, kTest, kAll };

/// "train", "valid", "test" or "all".
const char* split_name(Split split);

/// The side on which `key` falls: one key in `parts` is valid, one is test, the rest train. The
/// same key is on the same side everywhere.
Split split_by_hash(std::string_view key, uint64_t parts);

struct DataSpec {
  DataKind kind = DataKind::kText;
  std::string path;            ///< FILE, SRC, IMAGES or DIR
  std::string second;          ///< TGT or LABELS; empty for idx:DIR
  std::string language;        ///< LANG of gettext
  std::optional<Split> split;  ///< named by "@train", "@valid", "@test" or "@all" behind the part
  bool gzip = false;           ///< the path ends in .gz
};

/// One part: `KIND:REST` or plain FILE. A plain FILE may not start with a kind ("word:"). Throws
/// UsageError for an unknown kind, naming the known ones, for a missing file name, for several
/// parts where one is read, and for a split of data that has none.
DataSpec parse_data_spec(const std::string& argument);

/// All parts of DATA, which are joined by ';'.
std::vector<DataSpec> parse_data_parts(const std::string& argument);

/// Refuses `spec` where another kind is read: UsageError "KIND:PATH where WANTED is read".
[[noreturn]] void refuse_kind(const DataSpec& spec, const std::string& wanted);

/// The whole file as it is, decompressed if .gz. Throws Error if it cannot be read, is damaged,
/// holds more than `limit` bytes, or has nothing but NULs.
std::string read_bytes(const DataSpec& spec, uint64_t limit);

/// The whole file, decompressed if its name ends in .gz; it may be empty. Errors as read_bytes.
std::string read_whole(const std::string& path, uint64_t limit);

}  // namespace octet
