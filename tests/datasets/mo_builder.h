// Writes message catalogues as msgfmt does.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace octet::testing {

using MoMessages = std::vector<std::pair<std::string, std::string>>;

inline void put_number(std::string& bytes, uint32_t value, bool big_endian) {
  for (int i = 0; i < 4; ++i)
    bytes += static_cast<char>(value >> (big_endian ? 24 - 8 * i : 8 * i));
}

/// A .mo file; the header names `charset` unless that is empty. Messages are sorted as the format
/// wants them.
inline std::string build_mo(MoMessages messages, const std::string& charset = "UTF-8",
                            bool big_endian = false, uint32_t revision = 0) {
  if (!charset.empty()) {
    messages.emplace_back("", "Project-Id-Version: test\nContent-Type: text/plain; charset=" +
                                  charset + "\nPlural-Forms: nplurals=2; plural=(n != 1);\n");
  }
  std::sort(messages.begin(), messages.end());
  const auto count = static_cast<uint32_t>(messages.size());
  std::string bytes, tables, texts;
  uint32_t at = 28 + 16 * count;
  for (const bool target : {false, true}) {
    for (const auto& [source, translation] : messages) {
      const std::string& text = target ? translation : source;
      put_number(tables, static_cast<uint32_t>(text.size()), big_endian);
      put_number(tables, at, big_endian);
      texts += text + '\0';
      at += static_cast<uint32_t>(text.size()) + 1;
    }
  }
  for (const uint32_t value :
       {0x950412DEU, revision, count, 28U, 28 + 8 * count, 0U, 28 + 16 * count})
    put_number(bytes, value, big_endian);
  return bytes + tables + texts;
}

}  // namespace octet::testing
