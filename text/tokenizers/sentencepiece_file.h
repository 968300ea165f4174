// A sentencepiece model file (*.spm) as bytes that libsentencepiece can be given without harm.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace octet {

/// The whole file, checked. Error as check_sentencepiece, and for more than 64 MiB.
std::string read_sentencepiece(const std::filesystem::path& path);

/// Walks the message and its table of replaced characters, whose places the library follows
/// unchecked. Error naming what is wrong: a field beyond the end, a score that is not finite, a
/// table that runs in circles or points outside itself.
void check_sentencepiece(std::string_view model, const std::string& what);

}  // namespace octet
