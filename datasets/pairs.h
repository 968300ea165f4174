// Parallel text: sentences and their translations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/data_spec.h"

namespace octet {

/// One line each, UTF-8, without line ends.
struct SentencePair {
  std::string source, target;
};

/// All pairs of DATA, part by part, in the files' order: `parallel:SRC,TGT` (line i of one file
/// belongs to line i of the other) and `gettext:LANG[:DIR]` (English to LANG). `split` is taken of
/// parts that have splits and name none. Error for files of different length, an empty file or an
/// empty catalogue; UsageError for other kinds of data.
std::vector<SentencePair> read_pairs(const std::string& data, Split split);

}  // namespace octet
