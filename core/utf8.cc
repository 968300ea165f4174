#include "core/utf8.h"

#include <algorithm>
#include <cstring>

namespace octet {
namespace {

struct Sequence {
  size_t length;  ///< bytes: the whole character, or the maximal ill-formed subpart
  bool valid;
};

struct Lead {
  size_t length;      ///< 0: no lead byte
  uint8_t low, high;  ///< range of the second byte
};

Lead lead(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

Sequence sequence_at(std::string_view text, size_t begin) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[begin + i]); };
  if (byte(0) < 0x80) return {1, true};
  const Lead first = lead(byte(0));
  if (first.length == 0) return {1, false};
  const size_t have = std::min(first.length, text.size() - begin);
  if (have < 2 || byte(1) < first.low || byte(1) > first.high) return {1, false};
  for (size_t i = 2; i < have; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {i, false};
  }
  return {have, have == first.length};
}

}  // namespace

size_t skip_ascii(std::string_view text, size_t position) {
  uint64_t word;
  while (position + sizeof word <= text.size()) {
    std::memcpy(&word, text.data() + position, sizeof word);
    if (word & 0x8080808080808080u) break;
    position += sizeof word;
  }
  while (position < text.size() && static_cast<uint8_t>(text[position]) < 0x80) ++position;
  return position;
}

bool valid_utf8(std::string_view text) {
  for (size_t i = skip_ascii(text, 0); i < text.size(); i = skip_ascii(text, i)) {
    const Sequence next = sequence_at(text, i);
    if (!next.valid) return false;
    i += next.length;
  }
  return true;
}

std::string lossy_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Sequence next = sequence_at(text, i);
    if (next.valid) {
      out.append(text.substr(i, next.length));
    } else {
      append_utf8(out, 0xFFFD);
    }
    i += next.length;
  }
  return out;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

uint32_t next_code_point(std::string_view text, size_t& position) {
  const auto byte = [&](size_t i) { return uint32_t{static_cast<uint8_t>(text[position + i])}; };
  const uint32_t first = byte(0);
  const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint32_t code = length == 1 ? first : first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3F);
  position += length;
  return code;
}

// White_Space of the Unicode Character Database.
bool is_white_space(uint32_t code) {
  return (code >= 0x9 && code <= 0xD) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

size_t last_character(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

}  // namespace octet
