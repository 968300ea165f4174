// The byte <-> character table of byte-level BPE (OpenAI GPT-2, encoder.py, bytes_to_unicode).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace octet {

/// UTF-8 character that stands for each byte in vocabularies: printable Latin-1 stands for itself,
/// the other 68 bytes for U+0100 and up, in order.
const std::array<std::string, 256>& byte_characters();

/// `bytes` written in that alphabet.
std::string to_byte_characters(std::string_view bytes);

/// The bytes behind `token` (well-formed UTF-8); none when a character is outside the alphabet.
std::optional<std::string> from_byte_characters(std::string_view token);

}  // namespace octet
