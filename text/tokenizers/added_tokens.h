// Tokens that are cut out of the text before it is split into words.
#pragma once
#include <bitset>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octet {

struct AddedToken {
  int32_t id;
  std::string content;
  bool single_word;  ///< matches only where no word character touches it
  bool lstrip;       ///< takes the white space on its left with it
  bool rstrip;       ///< takes the white space on its right with it
  bool normalized;   ///< looked for in the normalized text, after the others
  bool special;      ///< left out when decoding without special tokens
};

/// A stretch of text, or an added token found in it.
struct TextPiece {
  std::string_view text;
  int32_t id = -1;  ///< -1: text
};

/// Reads the "added_tokens" array of a tokenizer.json (absent or null: none). Ids are below
/// `limit`. Error for empty contents and for contents or ids that come twice.
std::vector<AddedToken> read_added_tokens(const nlohmann::json& list, int64_t limit,
                                          const std::string& what);

/// Finds a set of added tokens: leftmost, then longest. O(text * longest token).
class AddedTokenFinder {
 public:
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);
  /// Appends the pieces of `text` to `out`, in order.
  void split(std::string_view text, std::vector<TextPiece>& out) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  std::bitset<256> first_bytes_;
  std::unordered_map<uint64_t, uint32_t> edges_;  ///< node << 8 | byte -> node; 0 is the root
  std::vector<int32_t> ends_;                     ///< node -> index into tokens_, or -1
};

}  // namespace octet
