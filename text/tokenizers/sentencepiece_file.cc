#include "text/tokenizers/sentencepiece_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "core/io/input_file.h"

namespace octet {
namespace {

constexpr uint64_t kMostBytes = uint64_t{64} << 20;

[[noreturn]] void refuse(const std::string& found, const std::string& what) {
  throw Error(fmt::format("{} in {}", found, what), "a sentencepiece model",
              "fetch the file again, or train it again");
}

// One field of a protocol buffers message: a varint, 4 or 8 bytes, or a stretch of bytes.
struct Field {
  uint64_t number = 0, wire = 0, value = 0;
  std::string_view bytes;
};

class Message {
 public:
  Message(std::string_view rest, const std::string& what) : rest_(rest), what_(what) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    field = {key >> 3, key & 7, 0, {}};
    switch (field.wire) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        refuse(fmt::format("a field of wire type {}", field.wire), what_);
    }
    if (field.number == 0) refuse("a field numbered 0", what_);
    return true;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    refuse("a number of more than 64 bits", what_);
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) refuse("a field that goes beyond the end", what_);
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view rest_;
  const std::string& what_;
};

// The double array of darts-clone (Susumu Yata) behind a table of replaced characters: a graph of
// units from the root on, each step one byte. The library follows it unchecked, into at most
// kMostMatches places for replacements that begin at the same character.
class ReplacementTable {
 public:
  ReplacementTable(std::string_view blob, const std::string& what) : what_(what) {
    uint32_t size = 0;
    if (blob.size() < sizeof size) refuse("no replacement table", what);
    std::memcpy(&size, blob.data(), sizeof size);
    blob.remove_prefix(sizeof size);
    if (size == 0 || size % sizeof(uint32_t) != 0 || size >= blob.size()) {
      refuse(fmt::format("a replacement table of {} in {} bytes", size, blob.size()), what);
    }
    units_.resize(size / sizeof(uint32_t));
    std::memcpy(units_.data(), blob.data(), size);
    behind_.resize(units_.size());
    text_ = blob.substr(size);
  }

  void check() { visit(0, 0); }

 private:
  static constexpr int kDeepest = 256, kMostMatches = 32;
  static constexpr size_t kLongest = 1024;
  // What is known of a unit: the longest path behind it, and the most replacements on one.
  struct Behind {
    bool open = false;
    int16_t depth = -1, matches = 0;
  };

  const Behind& visit(size_t unit, int depth) {
    Behind& known = behind_[unit];
    if (known.depth >= 0) return known;
    if (known.open) refuse("a replacement table that runs in circles", what_);
    known.open = true;
    int deepest = 0, most = 0;
    const size_t base = follow(unit);
    for (size_t byte = 0; byte < 256; ++byte) {
      const size_t child = base ^ byte;
      if (label(child) != byte || (child == 0 && byte == 0)) continue;
      if (depth == kDeepest) refuse("a replacement of too many characters", what_);
      const Behind& next = visit(child, depth + 1);
      deepest = std::max(deepest, next.depth + 1);
      most = std::max(most, next.matches + has_leaf(child));
      if (has_leaf(child) != 0) check_text(units_[follow(child)] & 0x7FFFFFFFU);
    }
    if (depth + deepest > kDeepest || most > kMostMatches) {
      refuse("a replacement of too many characters", what_);
    }
    known = {false, static_cast<int16_t>(deepest), static_cast<int16_t>(most)};
    return known;
  }

  uint32_t label(size_t i) const { return units_[i] & 0x800000FFU; }
  int has_leaf(size_t i) const { return static_cast<int>((units_[i] >> 8) & 1); }
  // Where the children of unit i stand; all 256 places must exist.
  size_t follow(size_t i) const {
    const uint32_t unit = units_[i];
    const size_t base = i ^ (static_cast<size_t>(unit >> 10) << ((unit & 512U) >> 6));
    if ((base | 255) >= units_.size()) refuse("a replacement table that points outside", what_);
    return base;
  }
  void check_text(size_t place) const {
    if (place >= text_.size()) refuse("a replacement that lies outside the file", what_);
    if (text_.find('\0', place) - place > kLongest) {
      refuse(fmt::format("a replacement of more than {} bytes", kLongest), what_);
    }
  }

  const std::string& what_;
  std::vector<uint32_t> units_;
  std::vector<Behind> behind_;
  std::string_view text_;
};

void check_piece(std::string_view piece, const std::string& what) {
  Message message(piece, what);
  Field field;
  while (message.next(field)) {
    if (field.number != 2 || field.wire != 5) continue;
    float score = 0;
    std::memcpy(&score, field.bytes.data(), sizeof score);
    if (!std::isfinite(score)) refuse("a score that is not finite", what);
  }
}

void check_normalizer(std::string_view spec, const std::string& what) {
  Message message(spec, what);
  Field field;
  while (message.next(field)) {
    if (field.number != 2 || field.wire != 2 || field.bytes.empty()) continue;
    ReplacementTable(field.bytes, what).check();
  }
}

}  // namespace

void check_sentencepiece(std::string_view model, const std::string& what) {
  if (model.empty()) refuse("nothing", what);
  Message message(model, what);
  Field field;
  int64_t pieces = 0;
  while (message.next(field)) {
    if (field.wire != 2) continue;
    if (field.number == 1) check_piece(field.bytes, what), ++pieces;
    if (field.number == 3 || field.number == 5) check_normalizer(field.bytes, what);
  }
  if (pieces == 0) refuse("no pieces", what);
}

std::string read_sentencepiece(const std::filesystem::path& path) {
  std::string model = read_file(path, kMostBytes);
  check_sentencepiece(model, path.string());
  return model;
}

}  // namespace octet
