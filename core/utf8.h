// UTF-8: checking it and walking over it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace octet {

/// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool valid_utf8(std::string_view text);

/// Copy of `text` with U+FFFD for every maximal ill-formed subpart: the substitution of the Unicode
/// Standard (chapter 3, table 3-8), the same as Rust's String::from_utf8_lossy.
std::string lossy_utf8(std::string_view text);

/// Appends the UTF-8 form of `code` (a Unicode scalar value).
void append_utf8(std::string& out, uint32_t code);

/// Code point at `position` of well-formed text; moves `position` behind it.
uint32_t next_code_point(std::string_view text, size_t& position);

/// Where the last character of `text` (well-formed, not empty) begins.
size_t last_character(std::string_view text);

/// First place from `position` on that is not ASCII; the size of `text` if there is none.
size_t skip_ascii(std::string_view text, size_t position);

/// The property White_Space.
bool is_white_space(uint32_t code);

}  // namespace octet
