#include "text/tokenizers/byte_alphabet.h"

#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

bool printable(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
}

constexpr uint32_t kCodes = 256 + 68;

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int16_t, kCodes> bytes;

  Alphabet() {
    bytes.fill(-1);
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t code = printable(byte) ? byte : next++;
      append_utf8(characters[byte], code);
      bytes[code] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet table;
  return table;
}

}  // namespace

const std::array<std::string, 256>& byte_characters() {
  return alphabet().characters;
}

std::string to_byte_characters(std::string_view bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char c : bytes) out += byte_characters()[static_cast<uint8_t>(c)];
  return out;
}

std::optional<std::string> from_byte_characters(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size();) {
    const uint32_t code = next_code_point(token, i);
    const int byte = code < kCodes ? alphabet().bytes[code] : -1;
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

}  // namespace octet
