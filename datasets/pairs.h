// Parallel text: sentences and their translations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/log.h"
#include "datasets/data_spec.h"

namespace octet {

/// One line each, UTF-8, without line ends.
struct SentencePair {
  std::string source, target;
};

/// All pairs of DATA, part by part, in the files' order: `parallel:SRC,TGT` (line i of one file
/// belongs to line i of the other; where one is empty, both are left out) and `gettext:LANG[:DIR]`
/// (English to LANG). `split` is taken of parts that have splits and name none. Error for files of
/// different length, an empty file or an empty catalogue; UsageError for other kinds of data. `log`
/// receives the number of pairs from the catalogues and the catalogues that were skipped.
std::vector<SentencePair> read_pairs(const std::string& data, Split split, Log* log = nullptr);

}  // namespace octet
