// GNU message catalogues (.mo): the messages of a program and their translations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace octet {

/// One message in UTF-8, without its context (msgctxt); of plural forms the first.
struct Message {
  std::string source, target;
};

struct Catalogue {
  std::vector<Message> messages;  ///< in the file's order, the header left out
  std::string unknown_charset;    ///< in the header but unsupported: no messages then
  int64_t invalid = 0;            ///< messages that are not text in the charset, left out
};

/// The content of a .mo file of either byte order. Throws Error naming `path` for what is no such
/// file or points outside itself.
Catalogue parse_mo(std::string bytes, const std::string& path);

/// Reads and parses a file of at most 256 MiB.
Catalogue read_mo(const std::string& path);

}  // namespace octet
