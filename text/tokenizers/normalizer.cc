#include "text/tokenizers/normalizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "text/tokenizers/json_fields.h"
#include "text/tokenizers/unicode_additions.h"
#include "text/tokenizers/utf8.h"

namespace octet {
namespace {

using nlohmann::json;

// Characters below are in form C and never join with what stands before them.
constexpr uint32_t kFirstMark = 0x300;
// Bytes composed together, unless one cluster is longer.
constexpr size_t kMostAtOnce = 4096;

bool newer_than_unicode_9(uint32_t code) {
  if (code < std::begin(kCombiningSinceUnicode9)->first) return false;
  const auto* range =
      std::upper_bound(std::begin(kCombiningSinceUnicode9), std::end(kCombiningSinceUnicode9), code,
                       [](uint32_t value, const CodePointRange& r) { return value <= r.last; });
  return range != std::end(kCombiningSinceUnicode9) && code >= range->first;
}

// True when the character may join with the one before it, or change places with it.
bool joins_left(uint32_t code) {
  if (newer_than_unicode_9(code)) return false;
  if (code >= 0x1160 && code <= 0x11FF) return true;  // vowels and final consonants of Hangul
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return true;
    default:
      return false;
  }
}

bool decomposes(uint32_t code) {
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
  return property->decomp_type == 0 && property->decomp_seqindex != UINT16_MAX;
}

struct Cluster {
  size_t end;
  bool clean;  ///< in form C for certain
};

// A character with all that may join it. Form C of a text is that of its clusters in a row.
Cluster cluster_at(std::string_view text, size_t begin) {
  size_t end = begin;
  const uint32_t first = next_code_point(text, end);
  if (newer_than_unicode_9(first)) return {end, true};
  bool clean = first < kFirstMark || (!joins_left(first) && !decomposes(first));
  while (end < text.size() && static_cast<uint8_t>(text[end]) >= 0xCC) {  // U+0300 and above
    size_t next = end;
    if (!joins_left(next_code_point(text, next))) break;
    clean = false;
    end = next;
  }
  return {end, clean};
}

void append_composed(std::string_view text, std::string& out) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  std::vector<utf8proc_int32_t> codes(4 * text.size());  // no character decomposes into more
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto room = static_cast<utf8proc_ssize_t>(codes.size());
  auto count = utf8proc_decompose(bytes, static_cast<utf8proc_ssize_t>(text.size()), codes.data(),
                                  room, kOptions);
  if (count >= 0 && count <= room) count = utf8proc_normalize_utf32(codes.data(), count, kOptions);
  if (count < 0 || count > room) {
    throw Error(fmt::format("{} bytes of text that cannot be normalized ({})", text.size(),
                            utf8proc_errmsg(count)),
                "text of assigned characters", "look for damage in the text");
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i)
    append_utf8(out, static_cast<uint32_t>(codes[static_cast<size_t>(i)]));
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string& storage) {
  storage.clear();
  size_t copied = 0;
  for (size_t i = skip_ascii(text, 0); i < text.size(); i = skip_ascii(text, i)) {
    // An ASCII character may be the base of the marks behind it.
    size_t begin = i > copied && static_cast<uint8_t>(text[i - 1]) < 0x80 ? i - 1 : i;
    Cluster cluster = cluster_at(text, begin);
    if (cluster.end == i) cluster = cluster_at(text, begin = i);
    i = cluster.end;
    if (cluster.clean) continue;
    while (i < text.size() && i - begin < kMostAtOnce) {
      cluster = cluster_at(text, i);
      if (cluster.clean) break;
      i = cluster.end;
    }
    storage.append(text.substr(copied, begin - copied));
    append_composed(text.substr(begin, i - begin), storage);
    copied = i;
  }
  if (copied == 0) return text;
  storage.append(text.substr(copied));
  return storage;
}

Normalizer::Normalizer(const json& spec, const std::string& what) {
  if (!spec.is_null()) add(spec, what);
}

void Normalizer::add(const json& spec, const std::string& what) {
  const std::string& type = json_fields::text(spec, "type", what);
  if (type == "NFC") {
    nfc_ = true;
  } else if (type == "Sequence") {
    const json& list = json_fields::need(spec, "normalizers", what);
    if (!list.is_array()) json_fields::refuse("\"normalizers\" that is no array", "an array", what);
    for (const json& step : list) add(step, what);
  } else {
    json_fields::refuse(fmt::format("normalizer \"{}\"", type.substr(0, 40)),
                        "NFC, a Sequence of it, or none", what);
  }
}

}  // namespace octet
