// The message catalogues of installed programs as a parallel corpus.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/pairs.h"

namespace octet {

/// The catalogues that gettext:LANG:DIR reads, sorted by the name of the program: of
/// DIR/LANG/LC_MESSAGES/*.mo, and for a program without one, the catalogue of a related locale (de:
/// de_DE; de_AT: de). DIR may also be a single .mo file. iso_* is left out: lists of names of
/// languages and places. Error when there are none.
std::vector<std::filesystem::path> catalogue_files(const std::string& directory,
                                                   const std::string& language);

/// Appends the sentence pairs of `split` (see clean_message). Duplicate source sentences are
/// dropped; the first catalogue wins. One in 40 sentences, by a hash of its letters, is valid, one
/// in 40 test.
void read_catalogues(const DataSpec& spec, Split split, std::vector<SentencePair>& pairs,
                     Log* log = nullptr);

}  // namespace octet
